public import ArgumentParser
import ConnectionOptions
import Foundation
import Glibc
import Logging
package import Operations
import Protocols
package import StateChanges
package import ZeroMQ

/// `wallet-backend protocol-migrate history`.
public struct HistoryCommand: AsyncParsableCommand {
    package static let batchSize = Setting(
        "batch-size", variable: "BATCH_SIZE", "Ledgers per batch.", .integer(in: 1...1_000_000), default: "100")
    package static let fetchers = Setting(
        "fetchers", variable: "FETCHERS", "Fetchers to start, and a writer with them; 0: workers are started elsewhere.",
        .integer(in: 0...64), default: "2")
    package static let endpoint = Setting(
        "endpoint", variable: "ENDPOINT", "Where workers reach the coordinator; a socket in a private folder unless given.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })
    package static let network = Setting(
        "network", variable: "NETWORK",
        "The name that live ingestion was started with (pubnet, testnet, ...): tells whether it is running. Without it, it is taken to be.",
        .text(placeholder: "name"))
    package static let wait = Setting(
        "convergence-wait", variable: "CONVERGENCE_WAIT", "How long no further ledger must come before a caught-up protocol is done.",
        .seconds(in: 0...86_400), default: "5")

    package static let compressed = Setting(
        "compressed-chunks", variable: "COMPRESSED_CHUNKS",
        "Where rows go into compressed chunks of TimescaleDB: auto decompresses them first where that is cheaper, which needs the table's owner; "
            + "write never does; refuse ends the run.",
        .oneOf(CompressedChunks.self, placeholder: "mode"), default: "auto")

    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Fill in the state changes of all earlier ledgers for protocols, while live ingestion goes on.",
        discussion: """
            Works from each protocol's history cursor to the latest ingested ledger, then waits until live ingestion takes the cursor over. \
            May be stopped or killed at any time: the next run resumes at cursor + 1. Every flag may come from its environment variable; a flag wins.

            Exit status: 0 done, 1 failed, 64 usage, 130 SIGINT, 143 SIGTERM.
            A process that has not ended ten seconds after a signal, or gets a second one, is ended at once: the database decides what was committed.
            """)

    @OptionGroup var protocolOptions: ProtocolOptions
    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var networkOptions: NetworkOptions
    @OptionGroup var cursorNames: CursorNameOptions
    @Option(name: Self.batchSize.name, help: Self.batchSize.help) var batchSize: String?
    @Option(name: Self.fetchers.name, help: Self.fetchers.help) var fetchers: String?
    @Option(name: Self.endpoint.name, help: Self.endpoint.help) var endpoint: String?
    @Option(name: Self.network.name, help: Self.network.help) var network: String?
    @Option(name: Self.wait.name, help: Self.wait.help) var convergenceWait: String?
    @Flag(name: .customLong("accept-convergence"), help: "Caught up for that long is done, even if live ingestion runs.")
    var acceptConvergence = false
    @Option(name: Self.compressed.name, help: Self.compressed.help) var compressedChunks: String?
    @Flag(
        name: .customLong("rebuild"),
        help:
            "Do the histories again from the start, complete or not: delete their rows, then fill them in. One in progress goes on instead."
    )
    var rebuilds = false
    @Flag(name: .customLong("yes"), help: "Do not ask before rows are deleted; needed with --rebuild where there is no terminal.")
    var isConfirmed = false
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Validates all settings, then migrates.
    public func run() async throws {
        let environment = try file.environment()
        let (log, configuration) = try UsageError.reported {
            (try logging.resolve(process: "coordinator", environment: environment), try resolve(environment))
        }
        if rebuilds, !isConfirmed { try confirm(configuration.protocols) }
        log.bootstrap()
        environment.logWarning(to: log.makeLogger())
        let status = await HistoryRun(configuration: configuration, identity: log.identity, logger: log.makeLogger()).execute()
        if status != .success { throw status.exitCode }
    }

    private func resolve(_ environment: SettingEnvironment) throws -> HistoryConfiguration {
        let database = try databaseOptions.resolve(environment: environment)
        let (source, passphrase) = try networkOptions.resolve(environment: environment)
        let fetchers = try Self.fetchers.resolve(fetchers, environment: environment)
        let endpoint = try Self.endpoint.resolveIfGiven(endpoint, environment: environment)
        if fetchers == 0, endpoint == nil {
            throw UsageError(
                "--endpoint or the environment variable ENDPOINT is required with --fetchers 0: workers elsewhere must know where to connect"
            )
        }
        let logging = try logging.resolve(process: "coordinator", environment: environment)
        let (style, page) = try progress.resolve(environment: environment)
        let form: ProgressDisplay.Form =
            style == .none ? .nothing : style.isLive(logging.format) ? .block : .lines
        return HistoryConfiguration(
            protocols: try protocols(environment), database: database.parsed, databaseText: database.text,
            source: source, networkPassphrase: passphrase, cursorNames: try cursorNames.resolve(environment: environment),
            batchSize: try Self.batchSize.resolve(batchSize, environment: environment), fetchers: fetchers, endpoint: endpoint,
            network: try Self.network.resolveIfGiven(network, environment: environment),
            convergenceWait: try Self.wait.resolve(convergenceWait, environment: environment), acceptConvergence: acceptConvergence,
            compressedChunks: try Self.compressed.resolve(compressedChunks, environment: environment),
            rebuilds: rebuilds, metricsPort: try metrics.resolve(environment: environment), statusPage: page, progress: form,
            workerArguments: ["--log-level", logging.level.rawValue, "--log-format", logging.format.rawValue],
            environment: environment.forAnotherProcess)
    }

    /// Asks whoever sits at the terminal.
    private func confirm(_ protocols: [ProtocolID]) throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw UsageError("--rebuild deletes rows: without a terminal to ask at, it needs --yes").validationError
        }
        let names = protocols.map(\.rawValue).joined(separator: " and ")
        FileHandle.standardError.write(
            Data("All rows of \(names) will be deleted and filled in again from the oldest ledger that is kept. Go on? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased()) else {
            FileHandle.standardError.write(Data("Nothing was changed.\n".utf8))
            throw ExitStatus.failure.exitCode
        }
    }

    private func protocols(_ environment: SettingEnvironment) throws -> [ProtocolID] {
        let ids = try protocolOptions.resolve(environment: environment)
        let known = ProtocolRegistry.processors.map(\.id.rawValue).sorted()
        for id in ids where ProtocolRegistry.processor(for: id) == nil {
            throw UsageError("--protocol-id \(id.rawValue): this build has no processor for it; it has \(known.joined(separator: ", "))")
        }
        return ids
    }
}
