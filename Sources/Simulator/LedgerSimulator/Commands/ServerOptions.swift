internal import ArgumentParser
internal import Logging
internal import Operations

/// What the commands that serve have in common: where, how slowly, and what appears when.
struct ServerOptions: ParsableArguments {
    @Option(help: "Port; 0 takes a free one.") var port = 0
    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Let a new ledger, or file, appear every so many seconds.") var closeEvery: Double?
    @Option(help: "Milliseconds before each response.") var latency = 0
    @Option(help: "How fast each page, or file, goes out; as fast as it can unless given.") var bytesPerSecond: Int?
    @Option(help: "Keep the ledgers from this one on back, until POST /release; a page that reaches it ends before it.") var holdFrom:
        UInt32?
    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        guard (0...65535).contains(port), latency >= 0, (closeEvery ?? 1) > 0, (bytesPerSecond ?? 1) > 0 else {
            throw ValidationError(
                "--port is 0 to 65535, --latency not negative, --close-every and --bytes-per-second positive")
        }
    }

    /// Serves until a signal comes.
    /// - Parameter service: makes what is served.
    func serve<Service: SimulatedService>(_ service: (Hold, Delivery) async throws -> Service) async throws {
        var log = try UsageError.reported {
            try logging.resolve(process: "ledger-simulator", environment: SettingEnvironment(ProcessEnvironment.current))
        }
        log.level = max(log.level, .warning)
        let logger = log.makeLogger()
        TerminationSignals.ignoreBrokenPipes()
        let signals = TerminationSignals(logger: logger)
        do {
            let server = SimulatorServer(
                host: host, port: port,
                service: try await service(
                    Hold(from: holdFrom), Delivery(latency: .milliseconds(latency), bytesPerSecond: bytesPerSecond)),
                closeEvery: closeEvery.map { .seconds($0) }, logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { [host] group in
                group.addTask { try await server.run { port in Output.line("listening on http://\(host):\(port)") } }
                group.addTask { for await _ in signals { throw CancellationError() } }
                defer { group.cancelAll() }
                _ = try await group.next()
            }
        } catch is CancellationError {
            return
        } catch {
            logger.critical("simulator failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
    }
}

/// Which responses go wrong, and how.
struct FaultOptions<Fault: SimulatedFault>: ParsableArguments {
    // Unconditional: some names begin with a dash.
    @Option(
        parsing: .unconditional,
        help: "Faults that responses with ledgers meet in turn, comma-separated: \(Fault.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var faults: String?
    @Option(help: "Spoil every n-th response with ledgers.") var failEvery = 2

    func validate() throws {
        guard failEvery > 0 else { throw ValidationError("--fail-every must be positive") }
        _ = try list()
    }

    /// The faults, and when they come.
    func plan() throws -> FaultPlan<Fault> { FaultPlan(try list(), every: failEvery) }

    private func list() throws -> [Fault] {
        try (faults ?? "").split(separator: ",").map { name in
            guard let fault = Fault(rawValue: String(name)) else { throw ValidationError("--faults: \(name) is no fault") }
            return fault
        }
    }
}
