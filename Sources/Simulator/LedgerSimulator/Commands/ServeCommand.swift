internal import ArgumentParser
internal import Logging
internal import Operations

/// `ledger-simulator serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve getHealth, getLatestLedger, getNetwork and getLedgers, with the page rules and errors of the real server.",
        discussion: """
            The first line on standard output tells the address. GET /stats tells as JSON how many ledgers were served in all, how many different ones, \
            how often the one served most, in how many bytes, each fault that was served with how often, and each method that was called. POST /release \
            lets go what --hold-from keeps back; POST /hold?from=N keeps back again from ledger N on.

            Faults: 503, 504, 429 (with Retry-After: 0): HTTP statuses. -32603, -32001: JSON-RPC errors. empty-page: no ledgers. cut-body: the connection \
            closes in the middle. drop: it closes before the response. wrong-hash: the last ledger states a hash that is not its header's. broken-chain: \
            the last ledger names a predecessor that does not exist; a page of one ledger cannot have it, so the next longer page has.
            """)

    @Option(help: "Port; 0 takes a free one.") var port = 0
    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "What getNetwork says.") var networkPassphrase = "Standalone Network ; February 2017"
    @OptionGroup var source: SourceOptions
    @Option(help: "Oldest ledger that is kept; the first unless given.") var oldest: UInt32?
    @Option(help: "Oldest ledger that getHealth and getLedgers tell, although older ones are served.") var tellOldest: UInt32?
    @Option(help: "Close a new ledger every so many seconds.") var closeEvery: Double?
    @Option(help: "Milliseconds before each response.") var latency = 0
    @Option(help: "How fast each page goes out; as fast as it can unless given.") var bytesPerSecond: Int?
    @Option(help: "Keep the ledgers from this one on back, until POST /release; a page that reaches it ends before it.") var holdFrom:
        UInt32?
    // Unconditional: some names begin with a dash.
    @Option(
        parsing: .unconditional,
        help:
            "Faults that responses to getLedgers meet in turn, comma-separated: \(Fault.allCases.map(\.rawValue).joined(separator: ", ")).")
    var faults: String?
    @Option(help: "Spoil every n-th response to getLedgers.") var failEvery = 2
    @Option(help: "Say -32001, as the real server after 10 s, where a page would be longer.") var maxResponseBytes: Int?
    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        guard (0...65535).contains(port), latency >= 0, failEvery > 0, (closeEvery ?? 1) > 0 else {
            throw ValidationError("--port is 0 to 65535, --latency not negative, --fail-every and --close-every positive")
        }
        guard (maxResponseBytes ?? 1) > 0, (bytesPerSecond ?? 1) > 0 else {
            throw ValidationError("--max-response-bytes and --bytes-per-second must be positive")
        }
        _ = try faultList()
    }

    func run() async throws {
        let environment = ProcessEnvironment.current
        var log = try UsageError.reported { try logging.resolve(process: "ledger-simulator", environment: environment) }
        log.level = max(log.level, .warning)
        let logger = log.makeLogger()
        TerminationSignals.ignoreBrokenPipes()
        let signals = TerminationSignals(logger: logger)
        do {
            let (supply, ledgers) = try await source.supply(growing: closeEvery != nil)
            if let oldest, !ledgers.contains(oldest) {
                throw SimulatorError.range("--oldest \(oldest) is not one of the ledgers \(ledgers.lowerBound)-\(ledgers.upperBound)")
            }
            if let tellOldest, !((oldest ?? ledgers.lowerBound)...ledgers.upperBound).contains(tellOldest) {
                throw SimulatorError.range("--tell-oldest \(tellOldest) is not one of the ledgers that are served")
            }
            supply.prepare(through: ledgers.upperBound)
            let limit = closeEvery == nil ? ledgers.upperBound : supply.available.upperBound
            let tip = LedgerTip(oldest: oldest ?? ledgers.lowerBound, announcedOldest: tellOldest, latest: ledgers.upperBound, limit: limit)
            let server = SimulatorServer(
                host: host, port: port, passphrase: networkPassphrase,
                pages: LedgerPages(
                    supply: supply, tip: tip, counts: ServedCounts(first: ledgers.lowerBound), maximumBytes: maxResponseBytes),
                faults: FaultPlan(try faultList(), every: failEvery), hold: Hold(from: holdFrom), latency: .milliseconds(latency),
                bytesPerSecond: bytesPerSecond,
                closeEvery: closeEvery.map { .seconds($0) },
                logger: logger)
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

    private func faultList() throws -> [Fault] {
        try (faults ?? "").split(separator: ",").map { name in
            guard let fault = Fault(rawValue: String(name)) else { throw ValidationError("--faults: \(name) is no fault") }
            return fault
        }
    }
}
