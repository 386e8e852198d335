/// A socket connected to one router. Thread-safe; closed when nobody holds it or iterates its messages.
public final class DealerSocket: Sendable {
    /// The router's endpoint.
    public let endpoint: Endpoint
    private let handle: SocketHandle
    private let stream: AsyncStream<Result<Message, ZeroMQError>>

    init(_ handle: SocketHandle, endpoint: Endpoint, stream: AsyncStream<Result<Message, ZeroMQError>>) {
        self.handle = handle
        self.endpoint = endpoint
        self.stream = stream
    }

    /// What the router sends, in order; for one consumer.
    public var messages: MessageSequence<Message> { MessageSequence(stream, of: self) }

    /// Messages so far.
    public var statistics: SocketStatistics { SocketStatistics(handle.counters) }

    /// Sends without waiting, in order. Without a connection the message waits for one, see ``SocketLoop/connectDealer(_:immediate:)-(Endpoint,_)``.
    public func send(_ message: Message) {
        handle.send(message, to: nil)
    }

    /// Sends, and says whether the socket was still open. Waits for the loop's turn only, never for the router.
    public func offer(_ message: Message) async -> Delivery {
        await handle.offer(message, to: nil)
    }

    /// Closes the socket after the sends so far; they have `linger` to go out. Ends ``messages``. Idempotent.
    public func close(linger: Duration = SocketLoop.defaultLinger) {
        handle.close(linger: linger)
    }
}
