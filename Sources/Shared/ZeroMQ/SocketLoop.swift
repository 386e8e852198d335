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
    /// - Throws: `.endpointInUse`, `.bindFailed`, `.setUpFailed`, `.closed`.
    public func bindRouter(_ endpoint: Endpoint, limits: SocketLimits = SocketLimits()) async throws(ZeroMQError) -> RouterSocket {
        let (stream, sink) = AsyncStream.makeStream(of: Result<RouterSocket.Received, ZeroMQError>.self)
        let (handle, actual) = try await open(.router, endpoint, limits, .router(sink))
        return RouterSocket(handle, endpoint: actual, stream: stream)
    }

    /// Listens, see ``bindRouter(_:limits:)-(Endpoint,_)``.
    ///
    /// - Throws: also `.invalidEndpoint` and `.insecureEndpoint`.
    public func bindRouter(_ endpoint: String, limits: SocketLimits = SocketLimits()) async throws(ZeroMQError) -> RouterSocket {
        try await bindRouter(Endpoint(endpoint), limits: limits)
    }

    /// Removes the socket files of dead processes at these paths; leaves files of other kinds and live sockets as they are.
    public static func removeAbandonedSockets(_ paths: [String]) {
        for path in paths { SocketFile.removeIfAbandoned(path) }
    }

    /// Connects to one router.
    ///
    /// Returns at once, whether or not somebody listens there; the connection is made, and made again after a loss, in the
    /// background (after 20 ms, doubling up to 1 s).
    ///
    /// Messages go into the queue of the connection even before it stands; what is in it survives a reconnect.
    ///
    /// - Throws: `.invalidEndpoint` for a wildcard port, `.connectFailed`, `.setUpFailed`, `.closed`.
    public func connectDealer(_ endpoint: Endpoint, limits: SocketLimits = SocketLimits()) async throws(ZeroMQError) -> DealerSocket {
        let (stream, sink) = AsyncStream.makeStream(of: Result<Message, ZeroMQError>.self)
        let (handle, actual) = try await open(.dealer, endpoint, limits, .dealer(sink))
        return DealerSocket(handle, endpoint: actual, stream: stream)
    }

    /// Connects to one router, see ``connectDealer(_:limits:)-(Endpoint,_)``.
    ///
    /// - Throws: also `.invalidEndpoint` and `.insecureEndpoint`.
    public func connectDealer(_ endpoint: String, limits: SocketLimits = SocketLimits()) async throws(ZeroMQError) -> DealerSocket {
        try await connectDealer(Endpoint(endpoint), limits: limits)
    }

    /// Does what has been asked so far, closes all sockets, lets what they have sent go out for at most `linger`, and returns
    /// when the thread is through. All sequences of messages end. Calling it again waits for the same end.
    public func shutdown(linger: Duration = SocketLoop.defaultLinger) async {
        inbox.post(.shutDown(linger: linger))
        await inbox.waitForEnd()
    }

    private func open(
        _ kind: SocketKind, _ endpoint: Endpoint, _ limits: SocketLimits, _ sink: Sink
    ) async throws(ZeroMQError) -> (SocketHandle, Endpoint) {
        let request = OpenRequest(
            socket: inbox.newSocketNumber(), kind: kind, endpoint: endpoint, sink: sink, traffic: SocketTraffic(limits))
        let result = await withCheckedContinuation { inbox.post(.open(request, $0)) }
        return (SocketHandle(loop: self, number: request.socket, traffic: request.traffic), try result.get())
    }

    func post(_ command: Command) {
        inbox.post(command)
    }
}
