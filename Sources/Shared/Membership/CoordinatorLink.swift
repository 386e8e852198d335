public import Logging
public import Pipeline
public import Protocols
internal import Synchronization
public import ZeroMQ

/// A worker's connection to the coordinator: registers, keeps the heartbeat, notices silence, and registers anew on a new socket where the
/// coordinator is gone or does not know it any more (ZeroMQ's own reconnect does not register anybody).
public final class CoordinatorLink: Sendable {
    /// What comes of the connection.
    public enum Event: Sendable {
        /// The coordinator took the worker in; whatever was worked on for an earlier registration is void.
        case registered(run: RunID, worker: WorkerID, protocols: [ProtocolID])
        /// A message of the run that the worker is registered with.
        case message(CoordinatorMessage)
        /// The coordinator is silent or has forgotten the worker; work is void until the next registration.
        case lost(reason: String)
        /// A heartbeat interval went by; the receiver answers with `send(.heartbeat(...))`.
        case tick
    }

    private struct Registration {
        var dealer: DealerSocket?
        var run = RunID(rawValue: "")
        var worker: WorkerID = 0
        /// Heartbeat intervals since anything came.
        var silentTicks = 0
    }

    /// Silent heartbeat intervals after which the coordinator is given up.
    public static let deadAfter = 8
    /// How long the last messages may take to go out; mostly the coordinator has gone first, and nobody takes them.
    private static let leave = Duration.milliseconds(100)
    /// How often each side says that it lives.
    public static let heartbeatInterval = Duration.seconds(1)

    private let endpoint: Endpoint
    private let loop: SocketLoop
    private let logger: Logger
    private let registration = Mutex(Registration())

    /// A connection to come; `run` opens it.
    public init(endpoint: Endpoint, loop: SocketLoop, logger: Logger) {
        self.endpoint = endpoint
        self.loop = loop
        self.logger = logger
    }

    /// The run and the number under which the worker is registered at the moment.
    public var identity: (run: RunID, worker: WorkerID) { registration.withLock { ($0.run, $0.worker) } }

    /// Sends a message; dropped where there is no registration, for then nobody waits for it.
    public func send(_ message: WorkerMessage) {
        let (dealer, run, worker) = registration.withLock { ($0.dealer, $0.run, $0.worker) }
        guard let dealer else { return }
        do {
            dealer.send(Message(Frame(try Wire.encode(Envelope(run: run, worker: worker, body: message)))))
        } catch {
            logger.error("message not sent", metadata: ["cause": "\(error)"])
        }
    }

    /// Keeps the connection until the task is cancelled, and reports what happens on it.
    ///
    /// - Throws: `ZeroMQError` where the socket loop failed.
    public func run(_ hello: Hello, report: @escaping @Sendable (Event) -> Void) async throws {
        while !Task.isCancelled {
            let dealer = try await loop.connectDealer(endpoint)
            registration.withLock { $0 = Registration(dealer: dealer) }
            send(.hello(hello))
            let reason = try await listen(on: dealer, report: report)
            // The registration and the socket are still needed to take leave.
            if Task.isCancelled { return }
            registration.withLock { $0 = Registration() }
            dealer.close(linger: .zero)
            logger.warning(
                "no connection to the coordinator, registering anew", metadata: ["endpoint": "\(endpoint)", "reason": "\(reason)"])
            report(.lost(reason: reason))
        }
    }

    /// Takes leave and lets what was sent go out.
    public func close() {
        send(.goodbye)
        registration.withLock { $0.dealer }?.close(linger: Self.leave)
    }

    private func listen(on dealer: DealerSocket, report: @escaping @Sendable (Event) -> Void) async throws -> String {
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask {
                for try await message in dealer.messages {
                    self.registration.withLock { $0.silentTicks = 0 }
                    if let reason = self.receive(message, report: report) { return reason }
                }
                return "the socket was closed"
            }
            group.addTask {
                while self.registration.withLock({ state in
                    state.silentTicks += 1
                    return state.silentTicks
                }) <= Self.deadAfter {
                    try await Task.sleep(for: Self.heartbeatInterval)
                    report(.tick)
                }
                return "nothing was heard of it for \(Self.deadAfter) s"
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
        let envelope: Envelope<CoordinatorMessage>
        do {
            envelope = try Wire.decode(Envelope<CoordinatorMessage>.self, from: frame.copyBytes())
        } catch {
            logger.warning("dropped", metadata: ["cause": "\(error)"])
            return nil
        }
        switch envelope.body {
        case .registerAgain:
            return "the coordinator does not know this worker"
        case .welcome(let worker, let protocols):
            registration.withLock {
                $0.run = envelope.run
                $0.worker = worker
            }
            report(.registered(run: envelope.run, worker: worker, protocols: protocols))
        case .heartbeat:
            break
        case let other where envelope.run == identity.run:
            report(.message(other))
        default:
            logger.debug("dropped: of another run", metadata: ["run": "\(envelope.run)"])
        }
        return nil
    }
}
