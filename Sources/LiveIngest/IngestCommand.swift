public import ArgumentParser
import ConnectionOptions
import LedgerSources
package import Operations
import PostgreSQL
import Store

/// `wallet-backend ingest`.
public struct IngestCommand: AsyncParsableCommand {
    private static let network = Setting(
        "network", variable: "NETWORK",
        "The network's short name (pubnet, testnet, ...): names the lock that keeps a second live ingestion out and tells migrations that this one runs.",
        .text(placeholder: "name"))
    package static let startLedger = Setting(
        "start-ledger", variable: "START_LEDGER", "First ledger to ingest into an empty database; has no effect on another.",
        .integer(in: 1...Int(Int32.max)))

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Follow the network's tip and store the state changes of each new ledger.",
        discussion: """
            Per ledger one transaction: the latest ingested ledger advances by one, and with it the history cursor of every registered protocol that \
            stands right before, with the ledger's state changes. A cursor that lags belongs to a migration, until it has caught up. \
            Only one live ingestion runs at a time. Every flag may come from its environment variable; a flag wins.

            Exit status: 0 after SIGTERM or SIGINT, 1 failed, 64 usage; 143 or 130 where it had to be ended at once, as it had not ended ten \
            seconds after the signal or got a second one.
            """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var networkOptions: NetworkOptions
    @Option(name: Self.network.name, help: Self.network.help) var network: String?
    @Option(name: Self.startLedger.name, help: Self.startLedger.help) var startLedger: String?
    @OptionGroup var cursorNames: CursorNameOptions
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then follows the network until a signal comes.
    public func run() async throws {
        let environment = try file.environment()
        let (log, configuration) = try UsageError.reported {
            (try logging.resolve(process: "ingest", environment: environment), try resolve(environment))
        }
        log.bootstrap()
        environment.logWarning(to: log.makeLogger())
        let status = await IngestService(configuration: configuration, logger: log.makeLogger()).execute()
        if status != .success { throw status.exitCode }
    }

    private func resolve(_ environment: SettingEnvironment) throws -> IngestConfiguration {
        let (source, passphrase) = try networkOptions.resolve(environment: environment)
        return IngestConfiguration(
            database: try databaseOptions.resolve(environment: environment).parsed, source: source, networkPassphrase: passphrase,
            network: try Self.network.resolve(network, environment: environment),
            startLedger: try Self.startLedger.resolveIfGiven(startLedger, environment: environment).map { UInt32($0) },
            cursorNames: try cursorNames.resolve(environment: environment), metricsPort: try metrics.resolve(environment: environment))
    }
}

/// The settings of `ingest`, validated.
struct IngestConfiguration: Sendable {
    let database: ConnectionString
    let source: LedgerSourceSettings
    let networkPassphrase: String
    /// Names the lock of live ingestion.
    let network: String
    /// Where an empty database begins.
    let startLedger: UInt32?
    let cursorNames: CursorNames
    let metricsPort: Int?
}
