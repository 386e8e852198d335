import Glibc
import LedgerSources
import Logging
import Membership
import Operations
import Pipeline
import ZeroMQ

/// What a fetcher is started with, validated.
struct FetcherConfiguration: Sendable {
    let endpoint: Endpoint
    let rpcURL: String
    /// Requests in flight at once.
    let concurrency: Int
    /// Ledgers per request at most; the source chooses within it by what the server manages.
    let pageSize: Int
    let parentLifeline: Bool
}

/// Connects the fetcher to its surroundings: RPC, coordinator, signals, parent.
struct FetcherService: Sendable {
    let configuration: FetcherConfiguration
    let logger: Logger

    func run() async throws {
        TerminationSignals.ignoreBrokenPipes()
        let signals = await TerminationSignals()
        let (events, continuation) = AsyncStream<FetcherProcess.Event>.makeStream()
        let report: @Sendable (FetcherProcess.Event) -> Void = { continuation.yield($0) }
        if configuration.parentLifeline { ParentLifeline.watch { report(.stop("the coordinator has ended")) } }

        // A page is tried for a minute; then its batch goes back and may be tried elsewhere.
        var options = RPCOptions()
        options.pageSizer = PageSizer(maximum: configuration.pageSize)
        options.maximumConnections = configuration.concurrency
        options.pooledBuffers = configuration.concurrency
        let rpc = try StellarRPC(url: configuration.rpcURL, options: options, retry: RetryPolicy(total: .seconds(60)), logger: logger)
        let loop = try SocketLoop(name: "fetcher")
        let link = CoordinatorLink(endpoint: configuration.endpoint, loop: loop, logger: logger)
        let process = FetcherProcess(
            concurrency: configuration.concurrency, decoder: PageDecoder(source: rpc, scratches: ScratchPool(), logger: logger),
            retries: { rpc.counters.retries }, loop: loop, link: link, logger: logger, report: report)
        let hello = Hello(role: .fetcher, pid: getpid(), host: Host.name, rowsEndpoint: nil)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await link.run(hello) { report(.link($0)) } }
                group.addTask { for await signal in signals { report(.stop("\(signal)")) } }
                defer { group.cancelAll() }
                group.addTask {
                    try await process.run(events)
                    throw FetcherEnded()
                }
                // Unlike waitForAll, this ends with the first error, and the other tasks are cancelled.
                while try await group.next() != nil {}
            }
        } catch is FetcherEnded {
            link.close()
        }
        await loop.shutdown()
        await rpc.shutdown()
    }
}

/// The fetcher's own loop has ended in good order; takes the other tasks down with it.
private struct FetcherEnded: Error {}
