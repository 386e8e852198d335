internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// Where the messages of a socket go.
enum Sink: Sendable {
    case router(AsyncStream<Result<RouterSocket.Received, ZeroMQError>>.Continuation)
    case dealer(AsyncStream<Result<Message, ZeroMQError>>.Continuation)

    func finish(_ failure: ZeroMQError?) {
        switch self {
        case .router(let stream):
            if let failure { stream.yield(.failure(failure)) }
            stream.finish()
        case .dealer(let stream):
            if let failure { stream.yield(.failure(failure)) }
            stream.finish()
        }
    }
}

/// A socket of libzmq. Sockets are not thread-safe: only the loop's thread holds one.
@safe final class OpenSocket {
    let handle: UnsafeMutableRawPointer
    let sink: Sink
    let traffic: SocketTraffic
    private let endpoint: Endpoint
    private var file: SocketFile?

    init(context: UnsafeMutableRawPointer, _ request: OpenRequest) throws(ZeroMQError) {
        guard let handle = unsafe zmq_socket(context, request.kind.type) else {
            throw .last(.setUpFailed, "\(request.kind.name) socket for \(request.endpoint)")
        }
        unsafe self.handle = handle
        sink = request.sink
        traffic = request.traffic
        do {
            try unsafe SocketOptions.apply(to: handle, request)
            endpoint = try unsafe Self.attach(handle, request)
            if case .router = request.kind, case .ipc(let path) = endpoint.transport { file = SocketFile(path) }
        } catch {
            unsafe zmq_close(handle)
            throw error
        }
    }

    /// Closes the socket; what is queued still goes out for as long as `linger`.
    func close(linger: Duration) {
        var milliseconds = linger.milliseconds
        unsafe zmq_setsockopt(handle, ZMQ_LINGER, &milliseconds, MemoryLayout<Int32>.size)
        unsafe zmq_close(handle)
        // libzmq leaves it.
        file?.remove()
    }

    /// Where a listener really listens, or the endpoint that was connected to.
    var actualEndpoint: Endpoint { endpoint }

    // MARK: Sending

    func send(_ message: Message, to peer: PeerID?) throws(ZeroMQError) {
        guard !message.frames.isEmpty else { return }
        if try attempt(message, to: peer) == .unroutable { traffic.unroutable.add(1, ordering: .relaxed) }
    }

    private enum Attempt { case success, unroutable }

    private func attempt(_ message: Message, to peer: PeerID?) throws(ZeroMQError) -> Attempt {
        if let peer {
            let address = Frame(peer.bytes)
            let outcome = try sendPart(address, more: true)
            guard outcome == .success else { return outcome }
        }
        let last = message.frames.count - 1
        for (index, frame) in message.frames.enumerated() {
            // When a connection dies between two parts, libzmq takes back the parts before and says EAGAIN: the message as a whole is lost.
            let outcome = try sendPart(frame, more: index < last)
            guard outcome == .success else { return outcome }
        }
        return .success
    }

    private func sendPart(_ frame: Frame, more: Bool) throws(ZeroMQError) -> Attempt {
        try unsafe withUnsafeTemporaryAllocation(of: zmq_msg_t.self, capacity: 1) { buffer throws(ZeroMQError) -> Attempt in
            guard let part = buffer.baseAddress, unsafe frame.share(into: part) else {
                throw .last(.loopFailed, "\(endpoint): copy of a frame")
            }
            let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
            while unsafe zmq_msg_send(part, handle, flags) < 0 {
                let error = zmq_errno()
                if error == EINTR { continue }
                unsafe zmq_msg_close(part)
                switch error {
                // EAGAIN: there is no high-water mark, so there is no connection, and none is coming.
                case EHOSTUNREACH, EAGAIN: return .unroutable
                default: throw ZeroMQError(.loopFailed, "\(endpoint): send", systemError: error)
                }
            }
            return .success
        }
    }

    // MARK: Receiving

    /// Hands at most `limit` messages to the sink, so that one busy socket does not keep the others waiting.
    func receive(limit: Int) throws(ZeroMQError) {
        for _ in 0..<limit {
            guard !traffic.pauseIfFull(), let first = try receivePart(isFirst: true) else { return }
            switch sink {
            case .router(let stream):
                guard let message = try receiveRest([], more: first.more) else { continue }
                stream.yield(.success((PeerID(bytes: first.frame.copyBytes()), message)))
            case .dealer(let stream):
                guard let message = try receiveRest([first.frame], more: first.more) else { continue }
                stream.yield(.success(message))
            }
        }
    }

    /// The message of which these frames have come, counted as waiting; nil where it has too many.
    private func receiveRest(_ first: [Frame], more: Bool) throws(ZeroMQError) -> Message? {
        var frames = first
        var more = more
        var isRefused = false
        while more, let part = try receivePart(isFirst: false) {
            // The rest has to be taken all the same, for the next message to be found.
            isRefused = isRefused || frames.count >= traffic.limits.framesPerMessage
            if isRefused { frames = [] } else { frames.append(part.frame) }
            more = part.more
        }
        guard !isRefused else {
            traffic.refused.add(1, ordering: .relaxed)
            return nil
        }
        let message = Message(frames)
        traffic.add(message)
        return message
    }

    /// One part, or nil where nothing is there; the parts of a message arrive together, so that can only be before a first one.
    private func receivePart(isFirst: Bool) throws(ZeroMQError) -> (frame: Frame, more: Bool)? {
        let part = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)
        unsafe zmq_msg_init(part)
        while unsafe zmq_msg_recv(part, handle, ZMQ_DONTWAIT) < 0 {
            let error = zmq_errno()
            if error == EINTR { continue }
            unsafe zmq_msg_close(part)
            unsafe part.deallocate()
            if error == EAGAIN, isFirst { return nil }
            throw ZeroMQError(.loopFailed, "\(endpoint): receive", systemError: error)
        }
        let more = unsafe zmq_msg_more(part) != 0
        return unsafe (Frame(adopting: part), more)
    }

    // MARK: Attaching

    private static func attach(_ handle: UnsafeMutableRawPointer, _ request: OpenRequest) throws(ZeroMQError) -> Endpoint {
        let endpoint = request.endpoint
        switch request.kind {
        case .router:
            if case .ipc(let path) = endpoint.transport { try SocketFile.checkFree(path) }
            guard unsafe zmq_bind(handle, endpoint.description) == 0 else {
                let code: ZeroMQError.Code = zmq_errno() == EADDRINUSE ? .endpointInUse : .bindFailed
                throw .last(code, "cannot listen on \(endpoint)")
            }
            return endpoint.isWildcard ? try unsafe lastEndpoint(handle, asked: endpoint) : endpoint
        case .dealer:
            guard !endpoint.isWildcard else {
                throw ZeroMQError(.invalidEndpoint, "cannot connect to \(endpoint): a port is needed")
            }
            guard unsafe zmq_connect(handle, endpoint.description) == 0 else {
                throw .last(.connectFailed, "cannot connect to \(endpoint)")
            }
            return endpoint
        }
    }

    private static func lastEndpoint(_ handle: UnsafeMutableRawPointer, asked: Endpoint) throws(ZeroMQError) -> Endpoint {
        var text = [UInt8](repeating: 0, count: 256)
        var length = text.count
        guard unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &length) == 0 else {
            throw .last(.bindFailed, "\(asked): the port that the system chose")
        }
        // The length counts the closing zero.
        return try Endpoint(String(decoding: text.prefix(max(0, length - 1)), as: UTF8.self))
    }
}

/// What a socket is for.
enum SocketKind: Hashable, Sendable {
    case router, dealer

    var type: Int32 {
        switch self {
        case .router: ZMQ_ROUTER
        case .dealer: ZMQ_DEALER
        }
    }

    var name: String {
        switch self {
        case .router: "router"
        case .dealer: "dealer"
        }
    }
}

/// The options that every socket gets; what is not named stays at libzmq's default (handshake limited to 30 s, heartbeats off:
/// the protocol on top has its own).
enum SocketOptions {
    static func apply(to socket: UnsafeMutableRawPointer, _ request: OpenRequest) throws(ZeroMQError) {
        let limits = request.traffic.limits
        var options: [(Int32, Int32)] = [
            // No high-water mark for sending: at one, a router drops silently and a dealer blocks. Memory is bounded by the credits that the
            // protocol on top gives out. At the one for receiving, libzmq stops reading from the connection.
            (ZMQ_SNDHWM, 0), (ZMQ_RCVHWM, limits.messagesPerConnection), (ZMQ_LINGER, SocketLoop.defaultLinger.milliseconds),
            (ZMQ_BACKLOG, 1024), (ZMQ_RECONNECT_IVL, 20), (ZMQ_RECONNECT_IVL_MAX, 1000),
            (ZMQ_TCP_KEEPALIVE, 1), (ZMQ_TCP_KEEPALIVE_IDLE, 60), (ZMQ_TCP_KEEPALIVE_INTVL, 10), (ZMQ_TCP_KEEPALIVE_CNT, 6),
        ]
        // Only where asked for: with it, an IPv4 listener reports its address as an IPv6 one.
        if request.endpoint.isIPv6 { options.append((ZMQ_IPV6, 1)) }
        if request.kind == .router {
            // An unknown peer is an error (EHOSTUNREACH), not silence. Nobody takes over a connection by claiming its id.
            options += [(ZMQ_ROUTER_MANDATORY, 1), (ZMQ_ROUTER_HANDOVER, 0)]
        }
        for (option, value) in options { try unsafe set(socket, option, value) }
        // A frame that is longer ends the connection it came by.
        try unsafe set(socket, ZMQ_MAXMSGSIZE, Int64(limits.longestFrame))
    }

    private static func set(
        _ socket: UnsafeMutableRawPointer, _ option: Int32, _ value: some FixedWidthInteger
    ) throws(ZeroMQError) {
        var value = value
        guard unsafe zmq_setsockopt(socket, option, &value, MemoryLayout.size(ofValue: value)) == 0 else {
            throw .last(.setUpFailed, "socket option \(option) = \(value)")
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, between 0 and a day: what libzmq takes for a time-out.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds < 86_400 else { return 86_400_000 }
        return max(0, Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}

/// The file of a listening ipc socket, and what may lie at its path before.
struct SocketFile {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Remembers the file that was just made; nil where it is gone already.
    init?(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another socket has taken its place.
    func remove() {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unsafe unlink(path)
    }

    /// Lets only an absent file or the socket of a dead process pass.
    ///
    /// libzmq removes whatever lies at the path before it binds: a live listener's socket and any other file just as well.
    static func checkFree(_ path: String) throws(ZeroMQError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw ZeroMQError(.bindFailed, "ipc://\(path)", systemError: errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ZeroMQError(
                .endpointInUse, "ipc://\(path): something that is not a socket lies there; move it away or choose another path")
        }
        guard !isAlive(path) else {
            throw ZeroMQError(.endpointInUse, "ipc://\(path): another process listens there; stop it or choose another path")
        }
    }

    /// Removes the socket of a dead process; leaves everything else as it is.
    static func removeIfAbandoned(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, !isAlive(path) else { return }
        SocketFile(path)?.remove()
    }

    /// Whether somebody accepts connections there; a socket left behind by a dead process refuses them.
    private static func isAlive(_ path: String) -> Bool {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return true }
        defer { close(probe) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(Endpoint.longestPath)) }
        let result = unsafe withUnsafePointer(to: address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 || errno != ECONNREFUSED
    }
}
