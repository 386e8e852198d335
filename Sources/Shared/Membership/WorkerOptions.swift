public import ArgumentParser
public import Operations
internal import ZeroMQ

/// What every worker gets on its command line: where the coordinator is, and how it belongs to it.
public struct WorkerOptions: ParsableArguments {
    private static let endpoint = Setting(
        "endpoint", variable: "ENDPOINT", "Where the coordinator listens: ipc:///path or tcp://host:port.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })
    private static let token = Setting(
        "worker-token", variable: "WORKER_TOKEN", "What the coordinator gave to this process when it started it.", .text())

    @Option(name: Self.endpoint.name, help: Self.endpoint.help) var endpoint: String?
    @Option(name: Self.token.name, help: Self.hiddenHelp) var workerToken: String?
    @OptionGroup var lifeline: ParentLifelineOptions

    private static var hiddenHelp: ArgumentHelp {
        var help = token.help
        help.visibility = .hidden
        return help
    }

    /// Nothing given.
    public init() {}

    /// The settings.
    /// - Parameter identity: learns the worker's number and run.
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment, identity: LogIdentity) throws(UsageError) -> WorkerSettings {
        WorkerSettings(
            endpoint: try Self.endpoint.resolve(endpoint, environment: environment),
            token: try Self.token.resolveIfGiven(workerToken, environment: environment), parentLifeline: lifeline.parentLifeline,
            identity: identity)
    }
}
