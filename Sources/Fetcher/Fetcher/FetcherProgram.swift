public import ArgumentParser
import ConnectionOptions
import Logging
import Membership
import Operations

/// `wallet-backend-fetcher`.
public struct FetcherProgram: AsyncParsableCommand {
    private static let concurrency = RPCLimitSettings.concurrency
    private static let pageSize = RPCLimitSettings.pageSize

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "wallet-backend-fetcher",
        abstract: "Fetches ledgers for a migration and turns them into rows.",
        discussion:
            "Started by the coordinator, or by hand where the coordinator runs with --fetchers 0. Needs no database.",
        version: ProgramVersion.text)

    @OptionGroup var worker: WorkerOptions
    @OptionGroup var source: LedgerSourceOptions
    @Option(name: Self.concurrency.name, help: Self.concurrency.help) var rpcConcurrency: String?
    @Option(name: Self.pageSize.name, help: Self.pageSize.help) var rpcPageSize: String?
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then works until the run is over.
    public func run() async throws {
        let environment = try file.environment()
        let (log, configuration) = try UsageError.reported {
            let log = try logging.resolve(process: "fetcher", environment: environment)
            return (
                log,
                FetcherConfiguration(
                    worker: try worker.resolve(environment: environment, identity: log.identity),
                    source: try source.resolve(environment: environment),
                    concurrency: try Self.concurrency.resolve(rpcConcurrency, environment: environment),
                    pageSize: try Self.pageSize.resolve(rpcPageSize, environment: environment),
                    metricsPort: try metrics.resolve(environment: environment))
            )
        }
        log.bootstrap()
        let logger = log.makeLogger()
        logger.info("fetcher starts", metadata: ["version": "\(ProgramVersion.text)"])
        environment.logWarning(to: logger)
        let inGoodOrder: Bool
        do {
            inGoodOrder = try await FetcherProcess.run(configuration, logger: logger)
        } catch {
            logger.critical("fetcher failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
        if !inGoodOrder { throw ExitStatus.failure.exitCode }
    }
}
