/// What a socket received, in order; for one consumer.
///
/// Ends when the socket is closed or its loop shut down; throws when the loop failed; ends also, for good, when the consuming task is cancelled.
/// What has been received waits here without a bound: the protocol on top has to bound what its peers may send unasked.
public struct MessageSequence<Element: Sendable>: AsyncSequence, Sendable {
    /// What ends the sequence early.
    public typealias Failure = ZeroMQError

    private let stream: AsyncStream<Result<Element, ZeroMQError>>
    // Whoever iterates needs the socket open, whether or not the handle is still held elsewhere.
    private let socket: any AnyObject & Sendable

    init(_ stream: AsyncStream<Result<Element, ZeroMQError>>, of socket: any AnyObject & Sendable) {
        self.stream = stream
        self.socket = socket
    }

    /// The iterator over the messages not yet consumed.
    public func makeAsyncIterator() -> Iterator {
        Iterator(base: stream.makeAsyncIterator(), socket: socket)
    }

    /// Hands out one message after the other.
    public struct Iterator: AsyncIteratorProtocol {
        private var base: AsyncStream<Result<Element, ZeroMQError>>.Iterator
        private let socket: any AnyObject & Sendable

        fileprivate init(base: AsyncStream<Result<Element, ZeroMQError>>.Iterator, socket: any AnyObject & Sendable) {
            self.base = base
            self.socket = socket
        }

        /// The next message, or nil at the end.
        public mutating func next() async throws(ZeroMQError) -> Element? {
            try await next(isolation: nil)
        }

        /// The next message, or nil at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ZeroMQError) -> Element? {
            try await base.next(isolation: actor)?.get()
        }
    }
}
