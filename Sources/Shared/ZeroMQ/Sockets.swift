internal import Synchronization

/// What a socket takes from its peers. The defaults bound nothing but the length of a frame.
public struct SocketLimits: Hashable, Sendable {
    /// The longest frame, in bytes. Whoever announces a longer one is disconnected before a byte of it is read; the other peers are not concerned.
    public var longestFrame: Int
    /// The most frames of a message. A message of more is dropped and counted in ``SocketStatistics/refused``.
    public var framesPerMessage: Int
    /// Bytes of received messages that may wait for the consumer. Beyond it the socket receives no more until half of them are
    /// consumed: the messages wait with libzmq, then in the kernel, then with the peers.
    public var backlogBytes: Int

    /// - Parameters:
    ///   - longestFrame: 256 MiB unless given: ten times the largest frame that is ever sent.
    ///   - framesPerMessage: without a bound unless given.
    ///   - backlogBytes: without a bound unless given.
    public init(longestFrame: Int = 256 << 20, framesPerMessage: Int = .max, backlogBytes: Int = .max) {
        self.longestFrame = longestFrame
        self.framesPerMessage = framesPerMessage
        self.backlogBytes = backlogBytes
    }

    /// Messages of one connection that libzmq may hold beside the backlog (ZMQ_RCVHWM; 0: any number): about as many bytes again if all
    /// frames are as long as they may be, within what keeps small messages moving.
    var messagesPerConnection: Int32 {
        backlogBytes == .max ? 0 : Int32(max(16, min(1000, backlogBytes / max(1, longestFrame))))
    }
}

/// What a socket did not carry since it was opened, and what waits in it.
public struct SocketStatistics: Hashable, Sendable {
    /// Messages dropped because the peer was not, or no longer, connected.
    public let unroutable: Int
    /// Messages of peers dropped because they had more frames than ``SocketLimits/framesPerMessage``.
    public let refused: Int
    /// Bytes of received messages that wait for the consumer, with 64 for each message and each frame.
    public let backlogBytes: Int
}

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
    public var messages: MessageSequence<Received> {
        MessageSequence(stream, of: self) { [handle] in handle.consumed($0.message) }
    }

    /// Counts so far.
    public var statistics: SocketStatistics { handle.traffic.statistics }

    /// Sends without waiting; in order for each peer. A message to a peer that is not connected is dropped and counted in
    /// ``SocketStatistics/unroutable``.
    public func send(_ message: Message, to peer: PeerID) {
        handle.send(message, to: peer)
    }

    /// Closes the socket after the sends so far; they have `linger` to go out. Ends ``messages``. Idempotent.
    public func close(linger: Duration = SocketLoop.defaultLinger) {
        handle.close(linger: linger)
    }
}

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
    public var messages: MessageSequence<Message> {
        MessageSequence(stream, of: self) { [handle] in handle.consumed($0) }
    }

    /// Counts so far.
    public var statistics: SocketStatistics { handle.traffic.statistics }

    /// Sends without waiting, in order. Without a connection the message waits for one. Where the other side broke the rules of the transport or
    /// ``SocketLimits/longestFrame``, the connection is not made again: the message is dropped and counted in ``SocketStatistics/unroutable``.
    public func send(_ message: Message) {
        handle.send(message, to: nil)
    }

    /// Closes the socket after the sends so far; they have `linger` to go out. Ends ``messages``. Idempotent.
    public func close(linger: Duration = SocketLoop.defaultLinger) {
        handle.close(linger: linger)
    }
}

/// What a socket received, in order; for one consumer.
///
/// Ends when the socket is closed or its loop shut down; throws when the loop failed; ends also, for good, when the consuming task is cancelled.
/// What waits here is bounded by ``SocketLimits/backlogBytes``.
public struct MessageSequence<Element: Sendable>: AsyncSequence, Sendable {
    /// What ends the sequence early.
    public typealias Failure = ZeroMQError

    private let stream: AsyncStream<Result<Element, ZeroMQError>>
    // Whoever iterates needs the socket open, whether or not the handle is still held elsewhere.
    private let socket: any AnyObject & Sendable
    private let consumed: @Sendable (Element) -> Void

    init(
        _ stream: AsyncStream<Result<Element, ZeroMQError>>, of socket: any AnyObject & Sendable,
        consumed: @escaping @Sendable (Element) -> Void
    ) {
        self.stream = stream
        self.socket = socket
        self.consumed = consumed
    }

    /// The iterator over the messages not yet consumed.
    public func makeAsyncIterator() -> Iterator {
        Iterator(base: stream.makeAsyncIterator(), socket: socket, consumed: consumed)
    }

    /// Hands out one message after the other.
    public struct Iterator: AsyncIteratorProtocol {
        private var base: AsyncStream<Result<Element, ZeroMQError>>.Iterator
        private let socket: any AnyObject & Sendable
        private let consumed: @Sendable (Element) -> Void

        fileprivate init(
            base: AsyncStream<Result<Element, ZeroMQError>>.Iterator, socket: any AnyObject & Sendable,
            consumed: @escaping @Sendable (Element) -> Void
        ) {
            self.base = base
            self.socket = socket
            self.consumed = consumed
        }

        /// The next message, or nil at the end.
        public mutating func next() async throws(ZeroMQError) -> Element? {
            try await next(isolation: nil)
        }

        /// The next message, or nil at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ZeroMQError) -> Element? {
            guard let element = try await base.next(isolation: actor)?.get() else { return nil }
            consumed(element)
            return element
        }
    }
}

/// What router and dealer have in common: a number that the loop's thread knows them by. Closes the socket when nobody holds it.
final class SocketHandle: Sendable {
    private let loop: SocketLoop
    private let number: Int
    let traffic: SocketTraffic

    init(loop: SocketLoop, number: Int, traffic: SocketTraffic) {
        self.loop = loop
        self.number = number
        self.traffic = traffic
    }

    deinit {
        close(linger: SocketLoop.defaultLinger)
    }

    func send(_ message: Message, to peer: PeerID?) {
        loop.post(.send(message, socket: number, peer: peer))
    }

    func consumed(_ message: Message) {
        if traffic.remove(message) { loop.post(.resume) }
    }

    func close(linger: Duration) {
        loop.post(.close(socket: number, linger: linger))
    }
}

/// What the loop's thread and a socket's consumer know of what passes between them.
final class SocketTraffic: Sendable {
    let limits: SocketLimits
    let unroutable = Atomic<Int>(0)
    let refused = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)
    private let isPaused = Atomic<Bool>(false)

    init(_ limits: SocketLimits) {
        self.limits = limits
    }

    var statistics: SocketStatistics {
        SocketStatistics(
            unroutable: unroutable.load(ordering: .relaxed), refused: refused.load(ordering: .relaxed),
            backlogBytes: bytes.load(ordering: .relaxed))
    }

    /// Counts a message that now waits for the consumer.
    func add(_ message: Message) {
        bytes.add(Self.cost(message), ordering: .sequentiallyConsistent)
    }

    /// Counts a message that was consumed; true where the loop waits for that.
    func remove(_ message: Message) -> Bool {
        let left = bytes.subtract(Self.cost(message), ordering: .sequentiallyConsistent).newValue
        return left <= limits.backlogBytes / 2 && isPaused.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// Whether the loop must receive no more for now; then the consumer tells it when to go on.
    func pauseIfFull() -> Bool {
        guard bytes.load(ordering: .sequentiallyConsistent) >= limits.backlogBytes else { return false }
        isPaused.store(true, ordering: .sequentiallyConsistent)
        // A consumer that was done with it a moment before has seen no pause, and tells nobody.
        guard bytes.load(ordering: .sequentiallyConsistent) < limits.backlogBytes else { return true }
        isPaused.store(false, ordering: .sequentiallyConsistent)
        return false
    }

    /// Empty messages take memory as well.
    private static func cost(_ message: Message) -> Int {
        message.frames.reduce(64) { $0 + 64 + $1.count }
    }
}
