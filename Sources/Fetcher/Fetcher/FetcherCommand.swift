public import ArgumentParser
import ConnectionOptions
import Logging
import Operations
import ZeroMQ

/// `wallet-backend-fetcher`.
public struct FetcherCommand: AsyncParsableCommand {
    private static let endpoint = Setting(
        "endpoint", variable: "ENDPOINT", "Where the coordinator listens: ipc:///path or tcp://host:port.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })
    private static let concurrency = Setting(
        "rpc-concurrency", variable: "RPC_CONCURRENCY", "Requests in flight at once.", .integer(in: 1...64), default: "8")
    private static let pageSize = Setting(
        "rpc-page-size", variable: "RPC_PAGE_SIZE", "Ledgers per request at most; fewer where they are large or the server slow.",
        .integer(in: 1...200), default: "200")

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "wallet-backend-fetcher",
        abstract: "Fetches ledgers for a migration and turns them into rows.",
        discussion:
            "Started by the coordinator, or by hand where the coordinator runs with --fetchers 0. Needs no database.")

    @Option(name: Self.endpoint.name, help: Self.endpoint.help) var endpoint: String?
    @OptionGroup var rpc: RPCURLOptions
    @Option(name: Self.concurrency.name, help: Self.concurrency.help) var rpcConcurrency: String?
    @Option(name: Self.pageSize.name, help: Self.pageSize.help) var rpcPageSize: String?
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var lifeline: ParentLifelineOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then works until the run is over.
    public func run() async throws {
        let environment = ProcessEnvironment.current
        let (log, configuration) = try UsageError.reported {
            (
                try logging.resolve(process: "fetcher", environment: environment),
                FetcherConfiguration(
                    endpoint: try Self.endpoint.resolve(endpoint, environment: environment),
                    rpcURL: try rpc.resolve(environment: environment),
                    concurrency: try Self.concurrency.resolve(rpcConcurrency, environment: environment),
                    pageSize: try Self.pageSize.resolve(rpcPageSize, environment: environment),
                    parentLifeline: lifeline.parentLifeline)
            )
        }
        log.bootstrap()
        let logger = log.makeLogger()
        do {
            try await FetcherService(configuration: configuration, logger: logger).run()
        } catch {
            logger.critical("fetcher failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
    }
}
