internal import Glibc
public import Logging
public import Operations
internal import Pipeline
public import ZeroMQ

/// What fetcher and writer have in common: one stream of events, fed by the link to the coordinator, by signals, by the parent and by the worker's own tasks,
/// and an end in good order. `Local` is what only this kind of worker knows.
public struct WorkerService<Role: Channel, Local: Sendable>: Sendable {
    /// Everything that can happen to a worker.
    public enum Event: Sendable {
        /// On the link to the coordinator.
        case link(CoordinatorLink<Role>.Event)
        /// In the worker itself.
        case local(Local)
        /// A signal, or the end of the coordinator that started this process.
        case stop(String)
    }

    /// Sockets of the process.
    public let loop: SocketLoop
    /// The link to the coordinator.
    public let link: CoordinatorLink<Role>
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let settings: WorkerSettings
    private let logger: Logger

    /// Opens nothing yet.
    /// - Throws: `ZeroMQError` where the system has no thread or descriptor to give.
    public init(_ settings: WorkerSettings, logger: Logger) throws(ZeroMQError) {
        self.settings = settings
        self.logger = logger
        loop = try SocketLoop(name: Role.role.rawValue)
        link = CoordinatorLink(endpoint: settings.endpoint, loop: loop, logger: logger)
        (events, continuation) = AsyncStream.makeStream()
    }

    /// Adds an event of the worker's own; from any thread.
    public func report(_ event: Local) { continuation.yield(.local(event)) }

    /// Runs the worker's loop, which is the only reader of the events, until it returns; then says goodbye and closes all sockets.
    ///
    /// - Parameters:
    ///   - rowsEndpoint: where fetchers reach the writer.
    ///   - metrics: served meanwhile.
    /// - Throws: what `body` throws, and `OperationsError` where the metrics cannot be served.
    public func run<Outcome: Sendable>(
        rowsEndpoint: Endpoint? = nil, metrics: OperationsServer? = nil,
        _ body: @escaping @Sendable (AsyncStream<Event>) async throws -> Outcome
    ) async throws -> Outcome {
        TerminationSignals.ignoreBrokenPipes()
        let signals = TerminationSignals(logger: logger)
        let (continuation, settings) = (continuation, settings)
        if settings.parentLifeline { ParentLifeline.watch { continuation.yield(.stop("the coordinator has ended")) } }
        let hello = Hello(
            role: Role.role, instance: settings.instance, token: settings.token, pid: getpid(), host: Host.name,
            rowsEndpoint: rowsEndpoint.map { "\($0)" })
        let result: Result<Outcome, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup(of: Outcome?.self) { group in
                    defer { group.cancelAll() }
                    group.addTask {
                        try await link.run(hello) { event in
                            if case .registered(let run, let welcome) = event {
                                settings.identity.set(process: "\(Role.role.rawValue)-\(welcome.worker)", run: run.rawValue)
                            }
                            continuation.yield(.link(event))
                        }
                        return nil
                    }
                    group.addTask {
                        for await signal in signals { continuation.yield(.stop("\(signal)")) }
                        return nil
                    }
                    if let metrics {
                        group.addTask {
                            try await metrics.run()
                            return nil
                        }
                    }
                    group.addTask { try await body(events) }
                    // Unlike waitForAll, this ends with the first outcome or error, and the other tasks are cancelled.
                    while let ended = try await group.next() {
                        if let outcome = ended { return outcome }
                    }
                    throw CancellationError()
                })
            link.close()
        } catch {
            result = .failure(error)
        }
        await loop.shutdown()
        return try result.get()
    }
}

/// What every worker is started with.
public struct WorkerSettings: Sendable {
    /// Where the coordinator listens.
    public let endpoint: Endpoint
    /// What the coordinator gave to the process when it started it.
    public let token: String?
    /// Whether standard input is the coordinator's pipe.
    public let parentLifeline: Bool
    /// Learns the worker's number and run.
    public let identity: LogIdentity
    /// Tells this process from any other.
    public let instance = RunID.random().rawValue

    /// Settings of a worker.
    public init(endpoint: Endpoint, token: String?, parentLifeline: Bool, identity: LogIdentity) {
        self.endpoint = endpoint
        self.token = token
        self.parentLifeline = parentLifeline
        self.identity = identity
    }
}
