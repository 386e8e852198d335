public import ArgumentParser
import ConnectionOptions
import Coordinator
import Logging
import Operations
import StateChanges

/// `wallet-backend protocol-migrate plan`.
public struct PlanCommand: AsyncParsableCommand {
    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract:
            "Say what 'history' with the same flags would do, what that is likely to take, and everything that would stop it. Writes nothing.",
        discussion: """
            Makes all checks of a run and goes on after one that fails, so that all obstacles come out at once. Then it fetches up to 60 ledgers from three \
            places of the range and turns them into rows, with the real contracts, and counts from these to the whole.

            Exit status: 0 a run can begin (or has nothing to do), 1 it would stop, 64 usage.
            """)

    @OptionGroup var protocolOptions: ProtocolOptions
    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var networkOptions: NetworkOptions
    @OptionGroup var cursorNames: CursorNameOptions
    @Option(name: HistoryCommand.batchSize.name, help: HistoryCommand.batchSize.help) var batchSize: String?
    @Option(name: HistoryCommand.fetchers.name, help: HistoryCommand.fetchers.help) var fetchers: String?
    @Option(name: HistoryCommand.compressed.name, help: HistoryCommand.compressed.help) var compressedChunks: String?
    @Flag(name: .customLong("rebuild"), help: "Plan a run with --rebuild.") var rebuilds = false
    // What says how a run goes on changes no plan, but the flags of a run must not have to be taken out of the line for it.
    @Option(name: HistoryCommand.network.name, help: HistoryCommand.network.help) var network: String?
    @Option(name: HistoryCommand.endpoint.name, help: HistoryCommand.endpoint.help) var endpoint: String?
    @Option(name: HistoryCommand.wait.name, help: HistoryCommand.wait.help) var convergenceWait: String?
    @Flag(name: .customLong("accept-convergence"), help: "As of history.") var acceptConvergence = false
    @Flag(name: .customLong("yes"), help: "As of history.") var isConfirmed = false
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var metrics: MetricsOptions
    @OptionGroup var logging: LoggingOptions
    @Flag(name: .customLong("json"), help: "One JSON document instead of the text.") var json = false
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Makes the plan and prints it.
    public func run() async throws {
        let environment = try file.environment()
        let request = try UsageError.reported { try resolve(environment) }
        TerminationSignals.ignoreBrokenPipes()
        let plan = await Planner(request: request, logger: LogConfiguration(process: "plan", level: .error).makeLogger()).plan()
        Output.write(json ? plan.json.line : plan.text)
        if !plan.obstacles.isEmpty { throw ExitStatus.failure.exitCode }
    }

    private func resolve(_ environment: SettingEnvironment) throws -> PlanRequest {
        _ = try HistoryCommand.network.resolveIfGiven(network, environment: environment)
        _ = try HistoryCommand.endpoint.resolveIfGiven(endpoint, environment: environment)
        _ = try HistoryCommand.wait.resolve(convergenceWait, environment: environment)
        _ = try progress.resolve(environment: environment)
        _ = try metrics.resolve(environment: environment)
        _ = try logging.resolve(process: "plan", environment: environment)
        let (source, passphrase) = try networkOptions.resolve(environment: environment)
        return PlanRequest(
            protocols: try protocolOptions.resolve(environment: environment),
            database: try databaseOptions.resolve(environment: environment).parsed, source: source, networkPassphrase: passphrase,
            names: try cursorNames.resolve(environment: environment),
            batchSize: try HistoryCommand.batchSize.resolve(batchSize, environment: environment),
            fetchers: try HistoryCommand.fetchers.resolve(fetchers, environment: environment),
            compressedChunks: try HistoryCommand.compressed.resolve(compressedChunks, environment: environment), rebuilds: rebuilds)
    }
}
