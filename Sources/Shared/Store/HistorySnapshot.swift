public import PostgreSQL
public import Protocols
public import StateChanges

/// What a round of the migration starts from, read in one REPEATABLE READ transaction.
///
/// Live ingestion commits a contract's classification with the ledger that deployed it: a set of tracked contracts that was read together with
/// `latest` misses no contract of a ledger up to that.
public struct HistorySnapshot: Sendable, Equatable {
    /// `latest_ingest_ledger`, under its configured name: the target.
    public let latest: CursorReading
    /// `oldest_ingest_ledger`, under its configured name.
    public let oldest: CursorReading
    /// The history cursor of each protocol asked for.
    public let historyCursors: [ProtocolID: CursorReading]
    /// The tracked contracts of the protocols asked for; nil where they were not asked for.
    public let trackedContracts: ContractSet?

    /// Reads it. Throws `malformedContractIDs` where contract ids are not 32 bytes long.
    /// - Parameter contracts: reads the tracked contracts, and knows those of the round before; nil where they are not wanted.
    public static func read(
        _ ids: [ProtocolID], names: CursorNames, contracts: ContractReader?, on connection: PostgresConnection
    ) async throws(StoreError) -> HistorySnapshot {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.snapshot) { () throws(StoreError) in
                let cursors = try StoreError.wrapping { () throws(PostgresError) in
                    try session.readCursors([names.latest, names.oldest] + ids.map(CursorNames.history))
                }
                return HistorySnapshot(
                    latest: cursors[names.latest] ?? .missing, oldest: cursors[names.oldest] ?? .missing,
                    historyCursors: Dictionary(
                        ids.map { ($0, cursors[CursorNames.history($0)] ?? .missing) }, uniquingKeysWith: { first, _ in first }),
                    trackedContracts: try contracts?.read(ids, in: session))
            }
        }
    }
}
