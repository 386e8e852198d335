import PostgreSQL
import Store

/// What `ingest` was told, validated.
struct IngestConfiguration: Sendable {
    let database: ConnectionString
    let rpcURL: String
    let networkPassphrase: String
    /// Names the lock of live ingestion.
    let network: String
    /// Where an empty database begins.
    let startLedger: UInt32?
    let cursorNames: CursorNames
    let metricsPort: Int?
}
