public import Logging
public import Pipeline
public import ZeroMQ

/// The coordinator's end of all connections: encodes, decodes and stamps messages with the run. Who is who is the `Roster`'s business.
public struct Switchboard: Sendable {
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
    public func send(_ message: CoordinatorMessage, to peer: PeerID, worker: WorkerID) {
        do {
            router.send(Message(Frame(try Wire.encode(Envelope(run: run, worker: worker, body: message)))), to: peer)
        } catch {
            logger.error("message not sent", metadata: ["worker": "\(worker)", "cause": "\(error)"])
        }
    }

    /// Hands on every message with its sender until the socket closes.
    ///
    /// - Throws: `ZeroMQError` where the socket loop failed.
    public func receive(_ body: (PeerID, Envelope<WorkerMessage>) -> Void) async throws {
        for try await (peer, message) in router.messages {
            guard let frame = message.frames.first else { continue }
            do {
                body(peer, try Wire.decode(Envelope<WorkerMessage>.self, from: frame.copyBytes()))
            } catch {
                logger.warning("dropped", metadata: ["peer": "\(peer)", "cause": "\(error)"])
            }
        }
    }

    /// Closes the socket; what was sent last gets out.
    public func close() { router.close() }
}
