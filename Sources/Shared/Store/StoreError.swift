public import PostgreSQL
public import StateChanges

/// Why an operation on the tables failed.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// PostgreSQL refused, or the connection broke; the error says while doing what.
    case database(PostgresError)
    /// The database could not be reached within the time given to it.
    case unreachable(address: String, attempts: Int, last: PostgresError)
    /// The database was reached, but has refused what was asked of it for the whole time given to it, for reasons that pass by themselves as a rule.
    case refused(for: Duration, tries: Int, last: PostgresError)
    /// The tables are not those of the contract.
    case schemaMismatch([SchemaDifference])
    /// `oldest_ingest_ledger` is missing or 0.
    case ingestionNotStarted(key: String, CursorReading)
    /// A cursor's text is not a ledger number.
    case malformedCursor(key: String, value: String)
    /// Protocols that have no row in `protocols`.
    case unknownProtocols([ProtocolID])
    /// A status in `protocols` that this build does not know.
    case unknownStatus(ProtocolID, column: String, value: String)
    /// Contract ids in `protocol_contracts` that are not 32 bytes long: in hexadecimal, at most ten of them, of `count`.
    case malformedContractIDs([String], count: Int)
    /// State changes of this range are in the table already although the cursor says that they are not.
    case rowsAlreadyThere(ledgers: ClosedRange<UInt32>, PostgresError)
    /// COPY stored another number of rows than there were tuples.
    case rowCountMismatch(ledgers: ClosedRange<UInt32>, ProtocolID, expected: Int, stored: Int)
    /// A commit failed; nothing of it is in the database, unless `commitOutcomeUnknown` of the PostgreSQL error says otherwise.
    case commitFailed(ledgers: ClosedRange<UInt32>, PostgresError)
    /// The range has ledgers that cannot exist: 0, or more than 2147483647.
    case impossibleLedgers(ClosedRange<UInt32>)
    /// `latest_ingest_ledger` does not stand where live ingestion left it (0: nothing was ingested yet): something else moved it.
    case latestElsewhere(key: String, expected: UInt32, found: CursorReading, oldest: CursorReading)
    /// A history that was set back, to be done again, is not at the start any more: something else has begun it.
    case resetOvertaken(ProtocolID, status: String, cursor: CursorReading, expected: UInt32)
    /// A lock is held by other sessions.
    case lockHeld(name: String, holders: [LockHolder])

    /// The PostgreSQL error behind it, if there is one.
    public var underlying: PostgresError? {
        switch self {
        case .database(let error), .commitFailed(_, let error), .rowsAlreadyThere(_, let error), .unreachable(_, _, let error),
            .refused(_, _, let error):
            error
        default: nil
        }
    }

    /// Deadlock or serialization failure: the same call on the same connection may succeed.
    public var isTransient: Bool { attempt?.isTransient ?? false }

    /// A time-out, or somebody, has cancelled the statement; the same with less to do may succeed.
    public var isTimeOut: Bool { attempt?.kind == .statementCancelled }

    /// The connection is gone; with a new one, the cursor in the database tells what was committed.
    public var isConnectionGone: Bool {
        if case .unreachable = self { true } else { attempt?.isConnectionGone ?? false }
    }

    /// The next call needs a new connection: this one is gone, or leads to a server that takes no writes (any more).
    public var needsNewConnection: Bool {
        if case .unreachable = self { true } else { attempt?.needsNewConnection ?? false }
    }

    /// Whether the same call may succeed later, on this or (see `needsNewConnection`) a new connection, with nobody changing anything here. False where
    /// the time for further attempts is used up (`unreachable`, `refused`).
    public var mayPass: Bool { attempt?.mayPass ?? false }

    /// The error of a single attempt, which others may follow.
    private var attempt: PostgresError? {
        switch self {
        case .database(let error), .commitFailed(_, let error), .rowsAlreadyThere(_, let error): error
        default: nil
        }
    }

    /// A COMMIT was on its way when the connection broke: only the cursor in the database tells whether it took effect.
    public var isOutcomeUnknown: Bool { underlying?.commitOutcomeUnknown ?? false }

    /// What failed, with which numbers, and what to do.
    public var description: String {
        switch self {
        case .database(let error):
            return error.description
        case .unreachable(let address, let attempts, let last):
            return "the database at \(address) cannot be reached (\(attempts) attempts): \(last.message)"
        case .refused(let time, let tries, let last):
            return "the database has refused for \(time) (\(tries) tries), the last time with: \(last)"
        case .schemaMismatch(let differences):
            return "the database does not have the tables that it should have: "
                + differences.map(\.description).joined(separator: "; ")
                + " ('wallet-backend migrate up' creates missing tables; it never alters existing ones)"
        case .ingestionNotStarted(let key, let reading):
            return "ingestion has not started yet: \(key) in ingest_store is \(reading)"
        case .malformedCursor(let key, let value):
            return
                "\(key) in ingest_store is '\(value)': not a ledger number (decimal, without leading zeros, 0 to 2147483647); correct it by hand"
        case .unknownProtocols(let ids):
            return
                "no row in table protocols for \(ids.map(\.rawValue).joined(separator: ", ")): 'wallet-backend migrate up' registers what this build knows"
        case .unknownStatus(let id, let column, let value):
            return "protocols.\(column) of \(id.rawValue) is '\(value)', which this build does not know"
        case .malformedContractIDs(let ids, let count):
            return "protocol_contracts has \(count) contract ids that are not 32 bytes long: "
                + ids.map { "\\x" + $0 }.joined(separator: ", ") + (count > ids.count ? ", ..." : "")
        case .rowsAlreadyThere(let ledgers, let error):
            return
                "state_changes already has rows of ledgers \(ledgers.lowerBound) to \(ledgers.upperBound) that the history cursor says are not there yet; "
                + "nothing was written. Something else wrote them, or the cursor was moved back by hand: correct the cursor, or do the history again from the start with --rebuild. \(error)"
        case .rowCountMismatch(let ledgers, let id, let expected, let stored):
            return "COPY stored \(stored) state changes of \(id.rawValue), ledgers \(ledgers.lowerBound) to \(ledgers.upperBound), "
                + "where \(expected) were expected; rolled back"
        case .commitFailed(let ledgers, let error):
            return "committing ledgers \(ledgers.lowerBound) to \(ledgers.upperBound): \(error)"
        case .impossibleLedgers(let ledgers):
            return "ledgers \(ledgers.lowerBound) to \(ledgers.upperBound) cannot be committed: ledger numbers go from 1 to 2147483647"
        case .latestElsewhere(let key, let expected, let found, let oldest):
            return
                "\(key) in ingest_store is \(found) (oldest: \(oldest)) where live ingestion left it at \(expected): something else moves it; "
                + "make sure that one live ingestion runs, with the same --network everywhere"
        case .resetOvertaken(let id, let status, let cursor, let expected):
            return
                "\(id.rawValue) was set back to ledger \(expected), but its history cursor is \(cursor) and its history_migration_status '\(status)' "
                + "now: something else has begun it, and no more of its rows are deleted"
        case .lockHeld(let name, let holders):
            let who = holders.isEmpty ? "a session that has just gone" : holders.map(\.description).joined(separator: "; ")
            return "lock '\(name)' is held by \(who)"
        }
    }
}

extension StoreError {
    /// Runs a body that only talks to the database; its errors become `database` or what `wrap` makes of them.
    static func wrapping<Value: ~Copyable>(
        _ wrap: (PostgresError) -> StoreError = StoreError.database, _ body: () throws(PostgresError) -> Value
    ) throws(StoreError) -> Value {
        do throws(PostgresError) { return try body() } catch { throw wrap(error) }
    }
}

extension PostgresSession {
    /// A transaction whose body may find more wrong than PostgreSQL does.
    func storeTransaction<Value>(_ mode: TransactionMode, _ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try transaction(mode, rethrowing: StoreError.database, body)
    }
}
