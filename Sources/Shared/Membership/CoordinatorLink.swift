public import Logging
public import Pipeline
internal import Synchronization
public import ZeroMQ

/// A worker's connection to the coordinator: registers, keeps the heartbeat, notices silence, and registers anew on a new socket where the
/// coordinator is gone or does not know it any more (ZeroMQ's own reconnect does not register anybody).
public final class CoordinatorLink<Role: Channel>: Sendable {
    /// What comes of the connection.
    public enum Event: Sendable {
        /// The coordinator took the worker in; whatever was worked on for an earlier registration is void.
        case registered(run: RunID, Welcome)
        /// Another worker has this one's place; the link registers again with each heartbeat. Nothing is to be done meanwhile.
        case standBy
        /// A command of the run that the worker is registered with, and the frames behind the first.
        case command(Role.Command, frames: [Frame])
        /// The run is over.
        case end
        /// The coordinator is silent or has forgotten the worker; work is void until the next registration.
        case lost(reason: String)
        /// A heartbeat interval went by while the worker is registered; the receiver sends its heartbeat.
        case tick
    }

    private struct Registration {
        var dealer: DealerSocket?
        var run = RunID(rawValue: "")
        /// 0: not registered.
        var worker: WorkerID = 0
        var isStandingBy = false
        /// Heartbeat intervals since anything came.
        var silentTicks = 0
    }

    private let endpoint: Endpoint
    private let loop: SocketLoop
    private let logger: Logger
    private let registration = Mutex(Registration())
    /// Of tries in vain, which take eight seconds each.
    private static var triesPerLine: Int { 75 }

    /// A connection to come; `run` opens it.
    public init(endpoint: Endpoint, loop: SocketLoop, logger: Logger) {
        self.endpoint = endpoint
        self.loop = loop
        self.logger = logger
    }

    /// Sends a report; dropped where there is no registration, for then nobody waits for it.
    public func send(_ report: Role.Report) {
        guard registration.withLock({ $0.worker != 0 }) else { return }
        send(Role.content(report))
    }

    private func send(_ content: WorkerContent) {
        let (dealer, run, worker) = registration.withLock { ($0.dealer, $0.run, $0.worker) }
        guard let dealer else { return }
        do {
            dealer.send(Message(Frame(try Wire.encode(Envelope(run: run, worker: worker, content: content)))))
        } catch {
            logger.error("message not sent", metadata: ["cause": "\(error)"])
        }
    }

    /// Keeps the connection until the task is cancelled, and reports what happens on it.
    ///
    /// - Throws: `ZeroMQError` where the socket loop failed.
    public func run(_ hello: Hello, report: @escaping @Sendable (Event) -> Void) async throws {
        var triesInVain = 0
        while !Task.isCancelled {
            let dealer = try await loop.connectDealer(endpoint)
            registration.withLock { $0 = Registration(dealer: dealer) }
            send(.hello(hello))
            let reason = try await listen(on: dealer, hello, report: report)
            // The registration and the socket are still needed to say goodbye.
            if Task.isCancelled { return }
            let wasTakenIn = registration.withLock { state in
                defer { state = Registration() }
                return state.worker != 0 || state.isStandingBy
            }
            dealer.close(linger: .zero)
            let context: Logger.Metadata = ["endpoint": "\(endpoint)", "reason": "\(reason)"]
            if wasTakenIn {
                triesInVain = 0
                logger.warning("no connection to the coordinator, registering anew", metadata: context)
            } else {
                // A worker may stand ready for days before there is a migration.
                logger.log(
                    level: triesInVain % Self.triesPerLine == 0 ? .info : .debug, "no coordinator yet, trying again", metadata: context)
                triesInVain += 1
            }
            report(.lost(reason: reason))
        }
    }

    /// Says goodbye and lets what was sent go out.
    public func close() {
        send(.goodbye)
        // Mostly the coordinator has gone first, and nobody takes the last messages.
        registration.withLock { $0.dealer }?.close(linger: .milliseconds(100))
    }

    private func listen(on dealer: DealerSocket, _ hello: Hello, report: @escaping @Sendable (Event) -> Void) async throws -> String {
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask {
                for try await message in dealer.messages {
                    self.registration.withLock { $0.silentTicks = 0 }
                    if let reason = self.receive(message, report: report) { return reason }
                }
                return "the socket was closed"
            }
            group.addTask {
                while true {
                    let (silentTicks, isStandingBy, isRegistered) = self.registration.withLock { state in
                        state.silentTicks += 1
                        return (state.silentTicks, state.isStandingBy, state.worker != 0)
                    }
                    guard silentTicks <= Liveness.deadAfter else { return "nothing was heard of it for \(Liveness.deadAfter) s" }
                    try await Task.sleep(for: Liveness.heartbeatInterval)
                    if isStandingBy { self.send(.hello(hello)) }
                    if isRegistered { report(.tick) }
                }
            }
            defer { group.cancelAll() }
            do {
                return try await group.next() ?? ""
            } catch is CancellationError {
                return "cancelled"
            }
        }
    }

    /// - Returns: why the connection is of no use any more, nil while it is.
    private func receive(_ message: Message, report: @Sendable (Event) -> Void) -> String? {
        guard let frame = message.frames.first else { return nil }
        let envelope: Envelope<CoordinatorContent>
        do {
            envelope = try Wire.decode(Envelope<CoordinatorContent>.self, from: frame)
        } catch {
            logger.warning("message dropped", metadata: ["cause": "\(error)"])
            return nil
        }
        switch envelope.content {
        case .registerAgain:
            return "the coordinator does not know this worker"
        case .welcome(let welcome):
            registration.withLock {
                $0.run = envelope.run
                $0.worker = welcome.worker
                $0.isStandingBy = false
            }
            report(.registered(run: envelope.run, welcome))
        case .standBy:
            let isNew = registration.withLock { state in
                defer {
                    state.isStandingBy = true
                    state.worker = 0
                }
                return !state.isStandingBy
            }
            guard isNew else { return nil }
            logger.notice("standing by: another \(Role.role.rawValue) is at work", metadata: ["of_run": "\(envelope.run)"])
            report(.standBy)
        case .heartbeat:
            break
        case .end:
            report(.end)
        case .fetcher, .writer:
            guard envelope.run == registration.withLock({ $0.run }) else {
                logger.debug("message dropped: of another run", metadata: ["of_run": "\(envelope.run)"])
                return nil
            }
            guard let command = Role.command(envelope.content) else {
                logger.warning("message dropped: not for a \(Role.role.rawValue)", metadata: ["of_run": "\(envelope.run)"])
                return nil
            }
            report(.command(command, frames: Array(message.frames.dropFirst())))
        }
        return nil
    }
}

/// How workers and coordinator tell whether the other side lives.
public enum Liveness {
    /// How often each side says so.
    public static let heartbeatInterval = Duration.seconds(1)
    /// Silent heartbeat intervals after which the other side is given up.
    public static let deadAfter = 8
}

extension Wire {
    /// A message from a frame.
    public static func decode<Value: Decodable>(_ type: Value.Type, from frame: Frame) throws(Malformed) -> Value {
        try decode(type, from: frame.copyBytes())
    }
}
