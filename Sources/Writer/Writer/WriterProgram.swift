public import ArgumentParser
import ConnectionOptions
import Logging
import Membership
import Operations
import ZeroMQ

/// `wallet-backend-writer`.
public struct WriterProgram: AsyncParsableCommand {
    private static let rowsEndpoint = RowsEndpoint.setting

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "wallet-backend-writer",
        abstract: "Commits the rows of a migration, in ledger order.",
        discussion:
            "Started by the coordinator, or by hand where the coordinator runs with --fetchers 0. One is at work, others stand by. Needs no RPC.",
        version: ProgramVersion.text
    )

    @OptionGroup var worker: WorkerOptions
    @OptionGroup var database: DatabaseOptions
    @Option(name: Self.rowsEndpoint.name, help: Self.rowsEndpoint.help) var rowsEndpoint: String?
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then works until the run is over.
    public func run() async throws {
        let environment = try file.environment()
        let (log, configuration) = try UsageError.reported {
            let log = try logging.resolve(process: "writer", environment: environment)
            return (
                log,
                WriterConfiguration(
                    worker: try worker.resolve(environment: environment, identity: log.identity),
                    database: try database.resolve(environment: environment).parsed,
                    rowsEndpoint: try Self.rowsEndpoint.resolveIfGiven(rowsEndpoint, environment: environment),
                    metricsPort: try metrics.resolve(environment: environment))
            )
        }
        log.bootstrap()
        let logger = log.makeLogger()
        logger.info("writer starts", metadata: ["version": "\(ProgramVersion.text)"])
        environment.logWarning(to: logger)
        let inGoodOrder: Bool
        do {
            inGoodOrder = try await WriterProcess.run(configuration, logger: logger)
        } catch {
            logger.critical("writer failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
        if !inGoodOrder { throw ExitStatus.failure.exitCode }
    }
}
