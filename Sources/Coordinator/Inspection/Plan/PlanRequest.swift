import LedgerSources
import PostgreSQL
import StateChanges
import Store

/// What `protocol-migrate plan` was given, validated.
struct PlanRequest: Sendable {
    let protocols: [ProtocolID]
    let database: ConnectionString
    let source: LedgerSourceSettings
    let networkPassphrase: String
    let names: CursorNames
    let batchSize: Int
    let fetchers: Int
    let compressedChunks: CompressedChunks
    let rebuilds: Bool
}
