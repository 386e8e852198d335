public import PostgreSQL
public import StateChanges

/// The writer's transaction: moves the history cursors over a contiguous range of ledgers and stores the state changes of that range.
///
/// A protocol whose cursor is not at the ledger before the range gets no rows; that is an outcome and not an error (live ingestion may have taken
/// over). Nor is anything written of a range that begins below the oldest ledger that is kept.
///
/// `synchronous_commit` is off: after a crash of the server the last commits may be gone, cursor and rows together, and are done again.
public struct StateChangeCommit: Sendable {
    /// What came of it.
    public struct Result: Sendable {
        /// The oldest ledger that is kept, where the range begins below it: nothing was written then, no cursor moved, and `outcomes` is empty.
        public let belowOldest: UInt32?
        /// One outcome per protocol.
        public let outcomes: [ProtocolID: CursorSwapOutcome]
        /// State changes stored, of all protocols together.
        public let storedRows: Int
        /// From BEGIN to the result of the swaps, waiting for locks included.
        public let swapTime: Duration
        /// COPY, indexes included.
        public let copyTime: Duration
        /// COMMIT, or ROLLBACK where no cursor could be swapped.
        public let commitTime: Duration
    }

    /// The ledgers, all of them: the cursors go from the one before the first to the last.
    public let ledgers: ClosedRange<UInt32>
    /// Every protocol whose cursor is to move, rows or none.
    public let rows: [StateChangeRows]
    /// The key in `ingest_store` of the oldest ledger that is kept; nil: whatever the range, it is kept.
    public let oldestName: String?
    /// How long storing the rows may take; nil: as long as it takes.
    public let timeLimit: Duration?

    /// A commit to be run.
    public init(ledgers: ClosedRange<UInt32>, rows: [StateChangeRows], oldestName: String? = nil, timeLimit: Duration? = nil) {
        self.ledgers = ledgers
        self.rows = rows.sorted { $0.id < $1.id }
        self.oldestName = oldestName
        self.timeLimit = timeLimit
    }

    /// Runs the transaction.
    ///
    /// Throws `commitFailed` (see `mayPass`, `isTransient`, `isTimeOut`, `needsNewConnection` and `isOutcomeUnknown` for what to do), `rowsAlreadyThere`,
    /// `rowCountMismatch` or `impossibleLedgers`; the transaction is rolled back then. A cancelled task rolls back, unless COMMIT was already on its way.
    public func run(on connection: PostgresConnection) async throws(StoreError) -> Result {
        try await connection.perform { session throws(StoreError) in
            // A throwing body is rolled back by `perform`.
            try run(in: session)
        }
    }

    private func run(in session: PostgresSession) throws(StoreError) -> Result {
        guard ledgers.lowerBound > 0, ledgers.upperBound <= Int32.max else { throw .impossibleLedgers(ledgers) }
        let clock = ContinuousClock()
        let start = clock.now
        let (outcomes, belowOldest) = try failing { () throws(PostgresError) in try swap(in: session) }
        let swapped = clock.now
        let moved = rows.filter { outcomes[$0.id] == .swapped }
        var storedRows = 0
        for rows in moved { storedRows += try StateChangeCopy(ledgers: ledgers, rows: rows).run(in: session) }
        let copied = clock.now
        if moved.isEmpty {
            session.rollbackIfOpen()
        } else {
            try failing { () throws(PostgresError) in try session.commit(label: "COMMIT") }
        }
        return Result(
            belowOldest: belowOldest, outcomes: outcomes, storedRows: storedRows, swapTime: swapped - start, copyTime: copied - swapped,
            commitTime: clock.now - copied)
    }

    /// BEGIN, settings, all swaps and the oldest ledger in one round trip. Where the range begins below that, the caller rolls back.
    private func swap(in session: PostgresSession) throws(PostgresError) -> ([ProtocolID: CursorSwapOutcome], belowOldest: UInt32?) {
        let ids = rows.map(\.id)
        guard !ids.isEmpty else { return ([:], nil) }
        var script = try CursorSwap.script(ids, from: ledgers.lowerBound - 1, to: ledgers.upperBound, in: session)
        // Last, for the swaps may have waited for others. It is not locked: this transaction is under way now, and retention need not wait for it.
        if let oldestName { script += ";\nSELECT value FROM ingest_store WHERE key = \(try session.literal(oldestName))" }
        // Behind the swaps: waiting for another's transaction is no sign of slow rows.
        if let timeLimit { script += ";\nSET LOCAL statement_timeout = \(Int(timeLimit / .milliseconds(1)))" }
        let results = try session.begin(.relaxed, running: script, label: "swapping the history cursors")
        // Without a usable value nothing can be said to be too old, and what was migrated so far goes on.
        let oldest = CursorReading(oldestName == nil ? nil : results.dropFirst(2).first?.first?["value"])
        if case .ledger(let oldest) = oldest, ledgers.lowerBound < oldest { return ([:], oldest) }
        return (CursorSwap.outcomes(ids, results.prefix(2)), nil)
    }

    private func failing<Value>(_ body: () throws(PostgresError) -> Value) throws(StoreError) -> Value {
        let ledgers = ledgers
        return try StoreError.wrapping({ StoreError(committing: ledgers, $0) }, body)
    }
}

/// The rows of one protocol: COPY tuples in chunks, which need not end with a row.
public struct StateChangeRows: Sendable {
    /// The protocol.
    public let id: ProtocolID
    /// The number of tuples in all chunks together; COPY must store as many.
    public let rowCount: Int
    /// The tuples, in the form of `StateChangeTuple`, without header and trailer.
    public let chunks: [any CopyChunk]

    /// Rows for a commit.
    public init(_ id: ProtocolID, rowCount: Int, chunks: [any CopyChunk]) {
        self.id = id
        self.rowCount = rowCount
        self.chunks = chunks
    }
}

/// Stores the rows of one protocol in a transaction that is open.
struct StateChangeCopy {
    let ledgers: ClosedRange<UInt32>
    let rows: StateChangeRows

    private static let statement =
        "COPY state_changes (\(StateChangeTuple.columns.joined(separator: ", "))) FROM STDIN WITH (FORMAT binary)"
    /// Signature, flags and the length of the header's extension, as "Binary Format" in COPY's reference has it: 19 bytes.
    private static let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0x00] + [0, 0, 0, 0] + [0, 0, 0, 0]
    /// A field count of -1.
    private static let trailer: [UInt8] = [0xff, 0xff]

    /// Returns the number of rows stored. Throws `rowsAlreadyThere`, `rowCountMismatch` or `commitFailed`.
    func run(in session: PostgresSession) throws(StoreError) -> Int {
        guard rows.rowCount > 0 || !rows.chunks.isEmpty else { return 0 }
        let stored = try StoreError.wrapping({ StoreError(committing: ledgers, $0) }) { () throws(PostgresError) in
            try session.copyIn(Self.statement, label: "COPY of state changes of \(rows.id.rawValue)") { stream throws(PostgresError) in
                try unsafe stream.write(Self.header.span.bytes)
                for chunk in rows.chunks { try chunk.write(to: &stream) }
                try unsafe stream.write(Self.trailer.span.bytes)
            }
        }
        guard stored == rows.rowCount else {
            throw .rowCountMismatch(ledgers: ledgers, rows.id, expected: rows.rowCount, stored: stored)
        }
        return stored
    }
}

extension StoreError {
    /// What went wrong in a transaction that stores the state changes of ledgers.
    init(committing ledgers: ClosedRange<UInt32>, _ error: PostgresError) {
        self = error.kind == .uniqueViolation ? .rowsAlreadyThere(ledgers: ledgers, error) : .commitFailed(ledgers: ledgers, error)
    }
}
