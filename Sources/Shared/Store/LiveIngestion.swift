public import PostgreSQL

/// The process that follows the network's tip.
public enum LiveIngestion {
    /// Whether a session of this database holds the advisory lock of live ingestion.
    ///
    /// `network` is the name that live ingestion was started with (`pubnet`, `testnet`, ...). The key: contract, section 4.
    public static func isRunning(network: String, on connection: PostgresConnection) async throws(StoreError) -> Bool {
        try await !AdvisoryLock.holders(of: AdvisoryLock.liveIngestionName(network: network), on: connection).isEmpty
    }
}
