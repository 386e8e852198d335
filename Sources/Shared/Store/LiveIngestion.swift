public import PostgreSQL

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
}
