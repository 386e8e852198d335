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
final class OpenSocket {
    let handle: UnsafeMutableRawPointer
    let sink: Sink
    let counters: SocketCounters
    private let endpoint: Endpoint
    private var file: SocketFile?
    private var outbox = Outbox()

    init(context: UnsafeMutableRawPointer, _ request: OpenRequest) throws(ZeroMQError) {
        guard let handle = zmq_socket(context, request.kind.type) else {
            throw .last(.setUpFailed, "\(request.kind.name) socket for \(request.endpoint)")
        }
        self.handle = handle
        sink = request.sink
        counters = request.counters
        do {
            try SocketOptions.apply(to: handle, request.kind, request.endpoint)
            endpoint = try Self.attach(handle, request)
            if case .router = request.kind, case .ipc(let path) = endpoint.transport { file = SocketFile(path) }
        } catch {
            zmq_close(handle)
            throw error
        }
    }

    /// Closes the socket; what is queued still goes out for as long as `linger`.
    func close(linger: Duration) {
        var milliseconds = linger.milliseconds
        zmq_setsockopt(handle, ZMQ_LINGER, &milliseconds, MemoryLayout<Int32>.size)
        zmq_close(handle)
        // libzmq leaves it.
        file?.remove()
    }

    /// Where a listener really listens, or the endpoint that was connected to.
    var actualEndpoint: Endpoint { endpoint }

    /// Whether messages wait for a connection.
    var hasBacklog: Bool { !outbox.isEmpty }

    // MARK: Sending

    func send(_ message: Message, to peer: PeerID?) throws(ZeroMQError) -> Delivery {
        guard !message.frames.isEmpty else { return .queued }
        if hasBacklog {
            outbox.append(message)
            return .queued
        }
        switch try attempt(message, to: peer) {
        case .success:
            counters.sent.add(1, ordering: .relaxed)
            return .queued
        case .again where peer == nil:
            outbox.append(message)
            return .queued
        case .again, .unroutable:
            counters.unroutable.add(1, ordering: .relaxed)
            return .unroutable
        }
    }

    /// Sends what waited for a connection.
    func flush() throws(ZeroMQError) {
        while let message = outbox.first {
            guard try attempt(message, to: nil) == .success else { return }
            counters.sent.add(1, ordering: .relaxed)
            outbox.removeFirst()
        }
    }

    private enum Attempt { case success, again, unroutable }

    private func attempt(_ message: Message, to peer: PeerID?) throws(ZeroMQError) -> Attempt {
        if let peer {
            let address = Frame(peer.bytes)
            let outcome = try sendPart(address, more: true)
            guard outcome == .success else { return outcome }
        }
        let last = message.frames.count - 1
        for (index, frame) in message.frames.enumerated() {
            // When a connection dies between two parts, libzmq takes back the parts before and says EAGAIN: the message as a whole waits.
            let outcome = try sendPart(frame, more: index < last)
            guard outcome == .success else { return outcome }
        }
        return .success
    }

    private func sendPart(_ frame: Frame, more: Bool) throws(ZeroMQError) -> Attempt {
        try withUnsafeTemporaryAllocation(of: zmq_msg_t.self, capacity: 1) { buffer throws(ZeroMQError) -> Attempt in
            guard let part = buffer.baseAddress, frame.share(into: part) else { throw .last(.loopFailed, "\(endpoint): copy of a frame") }
            let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
            while zmq_msg_send(part, handle, flags) < 0 {
                let error = zmq_errno()
                if error == EINTR { continue }
                zmq_msg_close(part)
                switch error {
                case EAGAIN: return .again
                case EHOSTUNREACH: return .unroutable
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
            guard let first = try receivePart(isFirst: true) else { return }
            counters.received.add(1, ordering: .relaxed)
            switch sink {
            case .router(let stream):
                let peer = PeerID(bytes: first.frame.copyBytes())
                stream.yield(.success((peer, Message(first.more ? try receiveRest() : []))))
            case .dealer(let stream):
                stream.yield(.success(Message([first.frame] + (first.more ? try receiveRest() : []))))
            }
        }
    }

    private func receiveRest() throws(ZeroMQError) -> [Frame] {
        var frames: [Frame] = []
        while let part = try receivePart(isFirst: false) {
            frames.append(part.frame)
            if !part.more { break }
        }
        return frames
    }

    /// One part, or nil where nothing is there; the parts of a message arrive together, so that can only be before a first one.
    private func receivePart(isFirst: Bool) throws(ZeroMQError) -> (frame: Frame, more: Bool)? {
        let part = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)
        zmq_msg_init(part)
        while zmq_msg_recv(part, handle, ZMQ_DONTWAIT) < 0 {
            let error = zmq_errno()
            if error == EINTR { continue }
            zmq_msg_close(part)
            part.deallocate()
            if error == EAGAIN, isFirst { return nil }
            throw ZeroMQError(.loopFailed, "\(endpoint): receive", systemError: error)
        }
        let more = zmq_msg_more(part) != 0
        return (Frame(adopting: part), more)
    }

    // MARK: Attaching

    private static func attach(_ handle: UnsafeMutableRawPointer, _ request: OpenRequest) throws(ZeroMQError) -> Endpoint {
        let endpoint = request.endpoint
        switch request.kind {
        case .router:
            if case .ipc(let path) = endpoint.transport { try SocketFile.checkFree(path) }
            guard zmq_bind(handle, endpoint.description) == 0 else {
                let code: ZeroMQError.Code = zmq_errno() == EADDRINUSE ? .endpointInUse : .bindFailed
                throw .last(code, "cannot listen on \(endpoint)")
            }
            return endpoint.isWildcard ? try lastEndpoint(handle, asked: endpoint) : endpoint
        case .dealer:
            guard !endpoint.isWildcard else {
                throw ZeroMQError(.invalidEndpoint, "cannot connect to \(endpoint): a port is needed")
            }
            guard zmq_connect(handle, endpoint.description) == 0 else {
                throw .last(.connectFailed, "cannot connect to \(endpoint)")
            }
            return endpoint
        }
    }

    private static func lastEndpoint(_ handle: UnsafeMutableRawPointer, asked: Endpoint) throws(ZeroMQError) -> Endpoint {
        var text = [UInt8](repeating: 0, count: 256)
        var length = text.count
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &length) == 0 else {
            throw .last(.bindFailed, "\(asked): the port that the system chose")
        }
        // The length counts the closing zero.
        return try Endpoint(String(decoding: text.prefix(max(0, length - 1)), as: UTF8.self))
    }
}

/// Messages of a dealer without a connection, first in first out.
struct Outbox {
    private var messages: [Message?] = []
    private var head = 0

    var isEmpty: Bool { head == messages.count }
    var first: Message? { isEmpty ? nil : messages[head] }

    mutating func append(_ message: Message) {
        messages.append(message)
    }

    mutating func removeFirst() {
        messages[head] = nil
        head += 1
        if isEmpty {
            messages.removeAll()
            head = 0
        }
    }
}
