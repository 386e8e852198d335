import LedgerSources
import PostgreSQL
import StateChanges
import Store
import ZeroMQ

/// What `protocol-migrate history` was given, validated.
struct HistoryConfiguration: Sendable {
    /// The protocols in the order given, without repetitions.
    let protocols: [ProtocolID]
    let database: ConnectionString
    /// The same with its secrets, for the writer's environment.
    let databaseText: String
    let source: LedgerSourceSettings
    let networkPassphrase: String
    let cursorNames: CursorNames
    let batchSize: Int
    /// Fetchers that the coordinator starts, and the writer with them; 0: all workers are started elsewhere.
    let fetchers: Int
    /// Nil: a socket file in a private folder of this run.
    let endpoint: Endpoint?
    /// The name that live ingestion was started with.
    let network: String?
    let convergenceWait: Duration
    let acceptConvergence: Bool
    /// What is done where rows have to go into compressed chunks.
    let compressedChunks: CompressedChunks
    /// The histories are done again from the start.
    let rebuilds: Bool
    let metricsPort: Int?
    /// Where the status page is served; nil: nowhere.
    let statusPage: ProgressOptions.StatusAddress?
    let progress: ProgressDisplay.Form
    /// Flags that the workers are given too.
    let workerArguments: [String]
    /// Environment variables, and what a configuration file says as such, of which the workers are given their part.
    let environment: [String: String]
}
