import Glibc
import Logging
import Membership
import Operations
import Pipeline
import PostgreSQL
import ZeroMQ

/// What the writer is started with, validated.
struct WriterConfiguration: Sendable {
    let endpoint: Endpoint
    let database: ConnectionString
    /// Where fetchers deliver; nil: beside the coordinator's endpoint.
    let rowsEndpoint: Endpoint?
    let parentLifeline: Bool

    /// A socket file beside the coordinator's, named for this process so that a predecessor's does not stand in the way; on tcp any free port.
    func rowsEndpoint(pid: Int32) throws(ZeroMQError) -> Endpoint {
        if let rowsEndpoint { return rowsEndpoint }
        switch endpoint.transport {
        case .ipc(let path): return try Endpoint(ipcPath: "\(path)-rows-\(pid)")
        case .tcp(let host, _): return try Endpoint("tcp://\(host.contains(":") ? "[\(host)]" : host):*")
        }
    }
}

/// Connects the writer to its surroundings: database, coordinator, fetchers, signals, parent.
struct WriterService: Sendable {
    let configuration: WriterConfiguration
    let logger: Logger

    /// - Returns: whether it ended in good order.
    func run() async throws -> Bool {
        TerminationSignals.ignoreBrokenPipes()
        let signals = await TerminationSignals()
        let (events, continuation) = AsyncStream<WriterProcess.Event>.makeStream()
        let report: @Sendable (WriterProcess.Event) -> Void = { continuation.yield($0) }
        if configuration.parentLifeline { ParentLifeline.watch { report(.stop("the coordinator has ended")) } }

        let loop = try SocketLoop(name: "writer")
        let rows = try await loop.bindRouter(configuration.rowsEndpoint(pid: getpid()))
        let link = CoordinatorLink(endpoint: configuration.endpoint, loop: loop, logger: logger)
        let process = WriterProcess(
            link: link, committer: Committer(database: configuration.database, logger: logger), logger: logger, report: report)
        let hello = Hello(role: .writer, pid: getpid(), host: Host.name, rowsEndpoint: "\(rows.endpoint)")
        var inGoodOrder = true
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await link.run(hello) { report(.link($0)) } }
                group.addTask { for try await (_, message) in rows.messages { report(.rows(message)) } }
                group.addTask { for await signal in signals { report(.stop("\(signal)")) } }
                defer { group.cancelAll() }
                group.addTask { throw WriterEnded(inGoodOrder: await process.run(events)) }
                // Unlike waitForAll, this ends with the first error, and the other tasks are cancelled.
                while try await group.next() != nil {}
            }
        } catch let end as WriterEnded {
            inGoodOrder = end.inGoodOrder
            link.close()
        }
        await loop.shutdown()
        return inGoodOrder
    }
}

/// The writer's own loop has ended; takes the other tasks down with it.
private struct WriterEnded: Error {
    let inGoodOrder: Bool
}
