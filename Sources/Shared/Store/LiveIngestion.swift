public import PostgreSQL
public import Protocols
public import StateChanges
public import StellarXDR

/// Live ingestion's transaction for one ledger N: `latest_ingest_ledger` goes from N-1 to N, and with it, for every registered protocol whose
/// history cursor stands at N-1, that cursor, together with the ledger's state changes.
///
/// A protocol without a history cursor, or with one that lags, is passed by: its ledgers are a migration's. `protocol_{ID}_current_state_cursor` is
/// never touched: current state is not produced here, and a swap without its rows would lose them. The commit waits for the disk.
public struct LiveCommit: Sendable {
    /// What came of it.
    public struct Result: Sendable, Hashable {
        /// Protocols whose cursor went along, with the number of state changes stored.
        public var advanced: [ProtocolID: Int] = [:]
        /// Protocols whose cursor stood elsewhere and was left there.
        public var passedBy: [ProtocolID: CursorReading] = [:]
        /// Protocols whose cursor stood at N-1 but for which this build has no processor: passed by too.
        public var unknown: Set<ProtocolID> = []
    }

    /// The ledger N.
    public let ledger: UInt32
    /// Nothing was ingested before: `oldest_ingest_ledger` and `latest_ingest_ledger`, missing or 0 until now, both become N.
    public let isFirst: Bool
    /// The keys of the two.
    public let names: CursorNames
    /// The protocols that this build has a processor for.
    public let processors: [ProtocolID]

    /// A commit to be run.
    public init(ledger: UInt32, isFirst: Bool, names: CursorNames, processors: [ProtocolID]) {
        self.ledger = ledger
        self.isFirst = isFirst
        self.names = names
        self.processors = processors
    }

    /// Runs the transaction.
    ///
    /// The protocols and their contracts are read in it, after `latest_ingest_ledger` was moved: what is classified up to this commit counts.
    /// - Parameters:
    ///   - contracts: the contracts that have events in the ledger: only these are looked up, so that the cost does not grow with the number of those
    ///     that are tracked. A failure counts only where rows are to be made.
    ///   - rows: makes the ledger's rows of the given protocols, of which those of `contracts` are given that are tracked; called at most once, on the
    ///     connection's thread.
    /// - Throws: `LiveCommitError`; nothing was written then, unless `isOutcomeUnknown` of the store's error says otherwise.
    public func run(
        on connection: PostgresConnection, contracts: Swift.Result<Set<Hash32>, LedgerProcessingError>,
        making rows: @Sendable ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) async throws(LiveCommitError) -> Result {
        guard ledger > 0, ledger <= Int32.max else { throw .store(.impossibleLedgers(ledgers)) }
        return try await connection.perform { session throws(LiveCommitError) in
            try session.transaction(.durable, rethrowing: { .store(StoreError(committing: ledgers, $0)) }) {
                () throws(LiveCommitError) in
                do throws(StoreError) {
                    try advanceLatest(in: session)
                } catch {
                    throw .store(error)
                }
                return try advanceProtocols(in: session, contracts, rows)
            }
        }
    }

    private var ledgers: ClosedRange<UInt32> { ledger...ledger }

    private func advanceLatest(in session: PostgresSession) throws(StoreError) {
        let ledgers = ledgers
        let (moved, found) = try StoreError.wrapping({ StoreError(committing: ledgers, $0) }) { () throws(PostgresError) in
            let moved = isFirst ? try begin(in: session) : try follow(in: session)
            return (moved, moved ? nil : try session.readCursors([names.oldest, names.latest]))
        }
        guard !moved else { return }
        throw .latestElsewhere(
            key: names.latest, expected: isFirst ? 0 : ledger - 1, found: found?[names.latest] ?? .missing,
            oldest: found?[names.oldest] ?? .missing)
    }

    private func begin(in session: PostgresSession) throws(PostgresError) -> Bool {
        try session.execute("SAVEPOINT beginning")
        let set = try session.query(
            """
            INSERT INTO ingest_store (key, value) VALUES ($1, $3), ($2, $3)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE ingest_store.value = '0' RETURNING key
            """, [names.latest, names.oldest, String(ledger)], label: "setting \(names.oldest) and \(names.latest)"
        ).count
        guard set < 2 else { return true }
        // One of the two was set, perhaps: the error must say what stands there without it.
        try session.execute("ROLLBACK TO SAVEPOINT beginning")
        return false
    }

    private func follow(in session: PostgresSession) throws(PostgresError) -> Bool {
        try !session.query(
            "UPDATE ingest_store SET value = $2 WHERE key = $1 AND value = $3 RETURNING key",
            [names.latest, String(ledger), String(ledger - 1)], label: "advancing \(names.latest)"
        ).isEmpty
    }

    private func advanceProtocols(
        in session: PostgresSession, _ contracts: Swift.Result<Set<Hash32>, LedgerProcessingError>,
        _ makeRows: ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) throws(LiveCommitError) -> Result {
        var result = Result()
        let swapped: [ProtocolID]
        do throws(StoreError) { swapped = try swapCursors(in: session, &result) } catch { throw .store(error) }
        guard !swapped.isEmpty else { return result }
        let withEvents: Set<Hash32>
        do throws(LedgerProcessingError) { withEvents = try contracts.get() } catch { throw .ledger(error) }
        let tracked: [ProtocolID: [Hash32]]
        do throws(StoreError) {
            tracked = try session.trackedContracts(of: swapped, among: withEvents)
        } catch {
            throw .store(error)
        }
        let rows: [StateChangeRows]
        do throws(LedgerProcessingError) { rows = try makeRows(swapped, tracked) } catch { throw .ledger(error) }
        for id in swapped { result.advanced[id] = 0 }
        for rows in rows where result.advanced[rows.id] != nil {
            do throws(StoreError) {
                result.advanced[rows.id] = try StateChangeCopy(ledgers: ledgers, rows: rows).run(in: session)
            } catch {
                throw .store(error)
            }
        }
        return result
    }

    private func swapCursors(in session: PostgresSession, _ result: inout Result) throws(StoreError) -> [ProtocolID] {
        let ledgers = ledgers
        let outcomes: [ProtocolID: CursorSwapOutcome]
        (outcomes, result) = try StoreError.wrapping({ StoreError(committing: ledgers, $0) }) { () throws(PostgresError) in
            var result = Result()
            let registered = try session.query("SELECT id FROM protocols ORDER BY id", label: "reading table protocols")
                .map { row throws(PostgresError) in ProtocolID(rawValue: try row.required("id")) }
            let cursors = try session.readCursors(registered.map(CursorNames.history))
            // Only those that stand ready are locked: a migration's transaction on a cursor that lags holds nobody up.
            var ready: [ProtocolID] = []
            for id in registered {
                let cursor = cursors[CursorNames.history(id)] ?? .missing
                if cursor == .missing { continue }
                if cursor != .ledger(ledger - 1) {
                    result.passedBy[id] = cursor
                } else if processors.contains(id) {
                    ready.append(id)
                } else {
                    result.unknown.insert(id)
                }
            }
            return (try CursorSwap.swap(ready, from: ledger - 1, to: ledger, in: session), result)
        }
        for (id, outcome) in outcomes { if case .refused(let found) = outcome { result.passedBy[id] = found } }
        return outcomes.filter { $0.value == .swapped }.keys.sorted()
    }
}

/// Why a ledger was not committed by live ingestion.
public enum LiveCommitError: Error, Sendable, CustomStringConvertible {
    /// The database did not take it.
    case store(StoreError)
    /// The ledger gives no rows that can be stored.
    case ledger(LedgerProcessingError)

    /// What failed, with which ledger, and what to do.
    public var description: String {
        switch self {
        case .store(let error): error.description
        case .ledger(let error): error.description
        }
    }
}

/// The process that follows the network's tip.
public enum LiveIngestion {
    /// Whether a session of this database holds the advisory lock of live ingestion.
    ///
    /// `network` is the name that live ingestion was started with (`pubnet`, `testnet`, ...). The key: contract, section 4.
    public static func isRunning(network: String, on connection: PostgresConnection) async throws(StoreError) -> Bool {
        try await !AdvisoryLock.holders(of: AdvisoryLock.liveIngestionName(network: network), on: connection).isEmpty
    }

    /// The oldest and the latest ingested ledger, read together.
    public static func position(
        _ names: CursorNames, on connection: PostgresConnection
    ) async throws(StoreError) -> (oldest: CursorReading, latest: CursorReading) {
        try await connection.perform { session throws(StoreError) in
            try StoreError.wrapping { () throws(PostgresError) in
                let cursors = try session.readCursors([names.oldest, names.latest])
                return (cursors[names.oldest] ?? .missing, cursors[names.latest] ?? .missing)
            }
        }
    }

    /// Throws `malformedContractIDs`, naming some, where tracked contracts of the protocols have ids that are not 32 bytes long.
    public static func refuseMalformedContracts(of ids: [ProtocolID], on connection: PostgresConnection) async throws(StoreError) {
        try await connection.perform { session throws(StoreError) in try session.refuseMalformedContracts(of: ids) }
    }
}
