/// A listening socket that talks to many dealers. Thread-safe; closed when nobody holds it or iterates its messages.
public final class RouterSocket: Sendable {
    /// A message and the connection it came by.
    public typealias Received = (peer: PeerID, message: Message)

    /// Where it really listens: a wildcard port is the chosen one here.
    public let endpoint: Endpoint
    private let handle: SocketHandle
    private let stream: AsyncStream<Result<Received, ZeroMQError>>

    init(_ handle: SocketHandle, endpoint: Endpoint, stream: AsyncStream<Result<Received, ZeroMQError>>) {
        self.handle = handle
        self.endpoint = endpoint
        self.stream = stream
    }

    /// What the peers send, in order for each peer; for one consumer.
    public var messages: MessageSequence<Received> { MessageSequence(stream, of: self) }

    /// Messages so far.
    public var statistics: SocketStatistics { SocketStatistics(handle.counters) }

    /// Sends without waiting; in order for each peer. A message to a peer that is not connected is dropped and counted in
    /// ``SocketStatistics/unroutable``.
    public func send(_ message: Message, to peer: PeerID) {
        handle.send(message, to: peer)
    }

    /// Sends, and says whether the peer was there to take it. Waits for the loop's turn only, never for the peer.
    public func offer(_ message: Message, to peer: PeerID) async -> Delivery {
        await handle.offer(message, to: peer)
    }

    /// Closes the socket after the sends so far; they have `linger` to go out. Ends ``messages``. Idempotent.
    public func close(linger: Duration = SocketLoop.defaultLinger) {
        handle.close(linger: linger)
    }
}
