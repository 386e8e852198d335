public import ArgumentParser
import ConnectionOptions
import Logging
import Operations
import ZeroMQ

/// `wallet-backend-writer`.
public struct WriterCommand: AsyncParsableCommand {
    private static let endpoint = Setting(
        "endpoint", variable: "ENDPOINT", "Where the coordinator listens: ipc:///path or tcp://host:port.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })
    private static let rowsEndpoint = Setting(
        "rows-endpoint", variable: "ROWS_ENDPOINT", "Where fetchers deliver rows; beside --endpoint unless given.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "wallet-backend-writer",
        abstract: "Commits the rows of a migration, in ledger order.",
        discussion: "Started by the coordinator, or by hand where the coordinator runs with --fetchers 0; one at a time. Needs no RPC.")

    @Option(name: Self.endpoint.name, help: Self.endpoint.help) var endpoint: String?
    @OptionGroup var database: DatabaseOptions
    @Option(name: Self.rowsEndpoint.name, help: Self.rowsEndpoint.help) var rowsEndpoint: String?
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var lifeline: ParentLifelineOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then works until the run is over.
    public func run() async throws {
        let environment = ProcessEnvironment.current
        let (log, configuration) = try UsageError.reported {
            (
                try logging.resolve(process: "writer", environment: environment),
                WriterConfiguration(
                    endpoint: try Self.endpoint.resolve(endpoint, environment: environment),
                    database: try database.resolve(environment: environment).parsed,
                    rowsEndpoint: try Self.rowsEndpoint.resolveIfGiven(rowsEndpoint, environment: environment),
                    parentLifeline: lifeline.parentLifeline)
            )
        }
        log.bootstrap()
        let logger = log.makeLogger()
        do {
            guard try await WriterService(configuration: configuration, logger: logger).run() else { throw ExitStatus.failure.exitCode }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            logger.critical("writer failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
    }
}
