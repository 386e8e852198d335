/// Sockets of libzmq for Swift concurrency: one thread of its own holds them all, callers on any thread only leave commands for it.
///
/// Commands are done in the order in which they were given, over all sockets of the loop. Nothing here blocks a caller. When libzmq fails, every
/// sequence of messages ends with the error; the thread never ends silently. A loop that nobody holds any more (its
/// sockets and their sequences hold it) shuts itself down as ``shutdown(linger:)`` does.
public final class SocketLoop: Sendable {
    /// How long messages already sent may take to go out after their socket is closed, where nothing else is said.
    public static let defaultLinger = Duration.seconds(1)

    private let inbox: LoopInbox

    /// Makes a context and starts its thread.
    ///
    /// - Parameter name: for error messages and the thread's name.
    /// - Throws: `.setUpFailed` where the system has no descriptor or thread to give.
    public init(name: String) throws(ZeroMQError) {
        inbox = try LoopInbox()
        try LoopThread.start(name: name, inbox: inbox)
    }

    deinit {
        inbox.post(.shutDown(linger: Self.defaultLinger))
    }

    /// Listens, and talks to many peers, each addressed by its ``PeerID``.
    ///
    /// A socket file left behind by a dead process is replaced; one that is alive, or any other file, is refused. The file goes
    /// when the socket is closed.
    ///
    /// - Throws: `.invalidEndpoint`, `.insecureEndpoint`, `.endpointInUse`, `.bindFailed`, `.setUpFailed`, `.closed`.
    public func bindRouter(_ endpoint: String) async throws(ZeroMQError) -> RouterSocket {
        try await bindRouter(Endpoint(endpoint))
    }

    /// Listens, see ``bindRouter(_:)-(String)``.
    public func bindRouter(_ endpoint: Endpoint) async throws(ZeroMQError) -> RouterSocket {
        let (stream, sink) = AsyncStream.makeStream(of: Result<RouterSocket.Received, ZeroMQError>.self)
        let request = OpenRequest(
            socket: inbox.newSocketNumber(), kind: .router, endpoint: endpoint, sink: .router(sink), counters: SocketCounters())
        let actual = try await open(request)
        return RouterSocket(SocketHandle(loop: self, number: request.socket, counters: request.counters), endpoint: actual, stream: stream)
    }

    /// Connects to one router.
    ///
    /// Returns at once, whether or not somebody listens there; the connection is made, and made again after a loss, in the
    /// background (after 20 ms, doubling up to 1 s).
    ///
    /// - Parameter immediate: false: messages go into the queue of the connection even before it stands; what is in it survives a
    ///   reconnect. true (ZMQ_IMMEDIATE): they are held back until a connection stands, and what was queued to a connection that is lost is lost with it.
    /// - Throws: `.invalidEndpoint`, `.insecureEndpoint`, `.connectFailed`, `.setUpFailed`, `.closed`.
    public func connectDealer(_ endpoint: String, immediate: Bool = false) async throws(ZeroMQError) -> DealerSocket {
        try await connectDealer(Endpoint(endpoint), immediate: immediate)
    }

    /// Connects to one router, see ``connectDealer(_:immediate:)-(String,_)``.
    public func connectDealer(_ endpoint: Endpoint, immediate: Bool = false) async throws(ZeroMQError) -> DealerSocket {
        let (stream, sink) = AsyncStream.makeStream(of: Result<Message, ZeroMQError>.self)
        let request = OpenRequest(
            socket: inbox.newSocketNumber(), kind: .dealer(immediate: immediate), endpoint: endpoint, sink: .dealer(sink),
            counters: SocketCounters())
        let actual = try await open(request)
        return DealerSocket(SocketHandle(loop: self, number: request.socket, counters: request.counters), endpoint: actual, stream: stream)
    }

    /// Does what has been asked so far, closes all sockets, lets what they have sent go out for at most `linger`, and returns
    /// when the thread is through. All sequences of messages end. Calling it again waits for the same end.
    public func shutdown(linger: Duration = SocketLoop.defaultLinger) async {
        inbox.post(.shutDown(linger: linger))
        await inbox.waitForEnd()
    }

    private func open(_ request: OpenRequest) async throws(ZeroMQError) -> Endpoint {
        let result = await withCheckedContinuation { inbox.post(.open(request, $0)) }
        return try result.get()
    }

    func post(_ command: Command) {
        inbox.post(command)
    }
}
