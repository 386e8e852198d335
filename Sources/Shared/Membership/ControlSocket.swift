public import Logging
public import Pipeline
public import ZeroMQ

/// How the two ends of a control connection know that the other one lives.
public enum Heartbeat {
    /// How often each side says so.
    public static let interval = Duration.seconds(1)
    /// Silent intervals after which the other side is given up.
    public static let deadAfter = 8
}

/// The coordinator's end of all connections: encodes, decodes and stamps messages with the run. Who is who is the `WorkerRegistry`'s business.
public struct ControlSocket: Sendable {
    private let router: RouterSocket
    private let run: RunID
    private let logger: Logger

    /// Speaks for one run on a bound socket.
    public init(router: RouterSocket, run: RunID, logger: Logger) {
        self.router = router
        self.run = run
        self.logger = logger
    }

    /// Where workers connect.
    public var endpoint: Endpoint { router.endpoint }

    /// Sends to one worker; to one that is gone it is dropped, its silence will tell.
    /// - Parameter attachment: a second frame; its bytes are shared by all sends.
    public func send(_ content: CoordinatorContent, attachment: Frame? = nil, to peer: PeerID, worker: WorkerID) {
        do {
            let first = Frame(try Wire.encode(Envelope(run: run, worker: worker, content: content)))
            router.send(Message([first] + (attachment.map { [$0] } ?? [])), to: peer)
        } catch {
            logger.error("message not sent", metadata: ["worker": "\(worker)", "cause": "\(error)"])
        }
    }

    /// Hands on every message with its sender until the socket closes; nil for one that cannot be read.
    ///
    /// - Throws: `ZeroMQError` where the socket loop failed.
    public func receive(_ body: (PeerID, Envelope<WorkerContent>?) -> Void) async throws {
        for try await (peer, message) in router.messages {
            guard let frame = message.frames.first else { continue }
            do {
                body(peer, try Wire.decode(Envelope<WorkerContent>.self, from: frame))
            } catch {
                logger.warning("message refused", metadata: ["peer": "\(peer)", "cause": "\(error)"])
                body(peer, nil)
            }
        }
    }

    /// Closes the socket; what was sent last gets out.
    public func close() { router.close() }
}
