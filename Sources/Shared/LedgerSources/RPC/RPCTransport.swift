internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// Where an RPC is: the URL that requests go to, and the part of it that may be shown.
///
/// Providers put API keys into the path, the query or the user part of a URL, so messages show scheme, host and port only.
struct RPCEndpoint: Sendable {
    /// The URL without user and password.
    let url: URL
    /// `Basic ...`, if the URL had a user part.
    let authorization: String?
    /// `scheme://host:port`.
    let shown: String

    init(_ text: String) throws(LedgerSourceError) {
        func refused(_ why: String) -> LedgerSourceError {
            // The text itself may hold a key, even where it is no URL.
            LedgerSourceError(.invalidURL, "the RPC URL \(why); it should look like http://host:8000 or https://host/path", endpoint: "RPC")
        }
        guard var parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw refused("cannot be parsed")
        }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else { throw refused("has no scheme http or https") }
        guard let host = parts.host, !host.isEmpty else { throw refused("has no host") }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { throw refused("has the port \(port)") }
        shown = "\(scheme)://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host):\(port)"
        if let user = parts.user {
            authorization = "Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString()
        } else {
            authorization = nil
        }
        parts.user = nil
        parts.password = nil
        parts.fragment = nil
        parts.scheme = scheme
        guard let url = parts.url else { throw refused("cannot be parsed") }
        self.url = url
    }
}

/// A whole HTTP response, whatever its status.
struct HTTPResponse: Sendable {
    /// What comes before the body.
    struct Head: Sendable {
        /// The status code.
        var status: Int
        /// `Retry-After`, as it came.
        var retryAfter: String?
        /// `Content-Encoding` other than identity. We never ask for one.
        var encoding: String?
    }

    /// What comes before the body.
    var head: Head
    /// One buffer; it goes back to its room unless it becomes a page's.
    var body: ByteBuffer
}

/// A response that cannot be made smaller is larger than any may be.
struct ResponseTooLarge: Error {
    /// The size announced, or received so far.
    var bytes: Int
}

/// A response is larger than its room in memory, and was not received any further. It says how large the ledgers are.
struct ResponseBrokenOff: Error {
    /// The size announced, or received so far.
    var bytes: Int
    /// Whether `bytes` is the size of the whole response.
    var isWhole: Bool
    /// Ledgers that begin in what was received.
    var ledgersBegun = 0
    /// Whether it is larger than any response may be, so that more room would not help.
    var isTooLarge = false
}

/// What a response may take in memory.
enum ResponseLimit: Sendable {
    /// A few bytes that are not worth counting.
    case small
    /// The room made for the response of a request for this many ledgers.
    case room(ResponseRoom, ledgers: Int)

    /// Longest response to a request that is not for ledgers.
    static let smallBytes = 1 << 20
}

/// Sends JSON-RPC requests over HTTP/1.1 and receives their responses. One per process: it owns its threads and connections.
final class RPCTransport: Sendable {
    let endpoint: RPCEndpoint
    let memory: ResponseMemory
    private let options: RPCOptions
    private let group: MultiThreadedEventLoopGroup
    private let client: HTTPClient
    private let isClosed = Mutex(false)

    init(_ endpoint: RPCEndpoint, _ options: RPCOptions) {
        self.endpoint = endpoint
        self.options = options
        self.memory = ResponseMemory(limit: options.responseBudget)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.eventLoopThreads))
        // A redirect could carry credentials elsewhere, and a POST that becomes a GET is of no use: it is refused with its status.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(options.connectTimeout), read: TimeAmount(options.idleTimeout)),
            connectionPool: .init(
                idleTimeout: TimeAmount(options.connectionIdleTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: max(1, options.maximumConnections)),
            decompression: .disabled)
        // Several bodies of megabytes over one HTTP/2 connection would share its flow control window.
        configuration.httpVersion = .http1Only
        // Whether to try again is the retry policy's to say, which also logs it.
        configuration.connectionPool.retryConnectionEstablishment = false
        let largest = max(1 << 16, options.readBufferBytes)
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 12, initial: 1 << 14, maximum: largest))
        }
        self.client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Ends all requests, connections and threads.
    func shutdown() async {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        memory.close()
        // Nothing else shuts these two down, so neither can have been before.
        try? await client.shutdown()
        try? await group.shutdownGracefully()
    }

    /// Sends `json` and returns the whole response, whatever its status.
    /// - Throws: with `brokenOff` where the response has no room.
    func post(_ json: String, limit: ResponseLimit) async throws(AttemptFailure) -> HTTPResponse {
        let request: HTTPClient.Request
        do {
            var headers: HTTPHeaders = ["content-type": "application/json", "accept": "application/json", "user-agent": "wallet-backend"]
            if let authorization = endpoint.authorization { headers.add(name: "authorization", value: authorization) }
            request = try HTTPClient.Request(url: endpoint.url, method: .POST, headers: headers, body: .string(json))
        } catch {
            throw AttemptFailure(.invalidURL, "the HTTP client refuses the URL")
        }
        let collector = ResponseCollector(limit: limit, maximum: options.maximumResponseBytes)
        // Under the lock, so that every request is known to the client before `shutdown` ends them all: one that came later would be told so
        // on an event loop that no longer runs, which is never.
        let begun = isClosed.withLock { closed in
            closed ? nil : client.execute(request: request, delegate: collector, deadline: .now() + TimeAmount(options.requestTimeout))
        }
        guard let task = begun else { throw AttemptFailure(.closed, "the client was shut down") }
        do {
            let head = try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.fail(reason: CancellationError())
            }
            return HTTPResponse(head: head, body: collector.takeBody())
        } catch {
            collector.discard()
            throw AttemptFailure(transport: error, responseBegun: collector.hasBegun)
        }
    }
}

/// Writes a response body into one buffer, of the size that Content-Length announces, and breaks it off where it has no room.
///
/// The general-purpose ways to get a body grow their buffer again and again, or keep a list of pieces: at a gigabyte per second that costs as much as
/// the receiving itself.
final class ResponseCollector: HTTPClientResponseDelegate {
    /// The head only: what is handed out through a future is also held by it, and a body that two hold is no buffer to use again.
    typealias Response = HTTPResponse.Head

    private struct State {
        var hasBegun = false
        var isOver = false
        var head: HTTPResponse.Head?
        var body = ByteBuffer()
        /// Nil for a small response, and when it is over: the client may keep the collector longer, and must not keep the room with it.
        var room: ResponseRoom?
    }

    /// Ledgers that were asked for.
    private let ledgers: Int
    private let maximum: Int
    private let state: Mutex<State>

    /// A buffer is made for so many bytes where the length is not announced and nothing is expected.
    private static let smallCapacity = 1 << 12
    /// Room that is made at once for a response of unknown length.
    private static let growth = 1 << 20

    /// - Parameter maximum: longest body that is taken, in bytes, whatever room there is.
    init(limit: ResponseLimit, maximum: Int) {
        switch limit {
        case .small:
            ledgers = 0
            self.maximum = min(maximum, ResponseLimit.smallBytes)
            state = Mutex(State())
        case .room(let room, let ledgers):
            self.ledgers = ledgers
            self.maximum = maximum
            state = Mutex(State(room: room))
        }
    }

    /// Whether anything of a response has arrived.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    func didReceiveHead(task: HTTPClient.Task<Response>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }.map { max(0, $0) }
        let encoding = head.headers.first(name: "content-encoding")
        return finish(task) { (state) throws(CollectingError) in
            state.hasBegun = true
            if let length {
                let isTooLarge = length > maximum
                if isTooLarge, ledgers < 2 { throw .tooLarge(ResponseTooLarge(bytes: length)) }
                guard !isTooLarge, hasRoom(length, slack: 0, state) else {
                    throw .brokenOff(ResponseBrokenOff(bytes: length, isWhole: true, isTooLarge: isTooLarge))
                }
            }
            state.head = HTTPResponse.Head(
                status: Int(head.status.code), retryAfter: head.headers.first(name: "retry-after"),
                encoding: encoding == "identity" ? nil : encoding)
            state.body =
                state.room.map { $0.takeBuffer(capacity: length ?? min($0.bytes, maximum)) }
                ?? ByteBufferAllocator().buffer(capacity: length ?? Self.smallCapacity)
        }
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Response>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        finish(task) { (state) throws(CollectingError) in
            let size = state.body.readableBytes + part.readableBytes
            let isTooLarge = size > maximum
            if isTooLarge, ledgers < 2 { throw .tooLarge(ResponseTooLarge(bytes: size)) }
            guard !isTooLarge, hasRoom(size, slack: Self.growth, state) else {
                let begun = LedgersResponse.ledgersBegun(in: state.body.readableBytesUInt8Span)
                throw .brokenOff(ResponseBrokenOff(bytes: size, isWhole: false, ledgersBegun: begun, isTooLarge: isTooLarge))
            }
            state.body.writeImmutableBuffer(part)
        }
    }

    func didReceiveError(task: HTTPClient.Task<Response>, _ error: any Error) {
        discard()
    }

    func didFinishRequest(task: HTTPClient.Task<Response>) throws -> Response {
        guard let head = state.withLock({ $0.head }) else { throw HTTPClientError.remoteConnectionClosed }
        return head
    }

    /// The body of a response that has been received to its end. The collector has it no longer.
    func takeBody() -> ByteBuffer {
        var body = ByteBuffer()
        state.withLock { state in
            state.isOver = true
            state.room = nil
            swap(&state.body, &body)
        }
        return body
    }

    /// Gives back what a response that failed has left. More than once is harmless: by then the room may be another try's.
    func discard() {
        guard let room = state.withLock({ $0.room }) else { return }
        var body = takeBody()
        room.giveBack(&body)
    }

    /// Whether a response of `bytes` has room or can be given it, with some to spare where there is enough.
    private func hasRoom(_ bytes: Int, slack: Int, _ state: State) -> Bool {
        guard let room = state.room, bytes > room.bytes else { return true }
        return room.grow(to: min(maximum, bytes + slack), single: false) || room.grow(to: bytes, single: ledgers == 1)
    }

    private enum CollectingError: Error {
        case tooLarge(ResponseTooLarge)
        case brokenOff(ResponseBrokenOff)

        var error: any Error {
            switch self {
            case .tooLarge(let error): error
            case .brokenOff(let error): error
            }
        }
    }

    private func finish(
        _ task: HTTPClient.Task<Response>, _ step: (inout State) throws(CollectingError) -> Void
    ) -> EventLoopFuture<Void> {
        do throws(CollectingError) {
            // Parts may still come after the task was cancelled; there is no buffer for them any more.
            try state.withLock { (state) throws(CollectingError) in if !state.isOver { try step(&state) } }
            return task.eventLoop.makeSucceededVoidFuture()
        } catch {
            return task.eventLoop.makeFailedFuture(error.error)
        }
    }
}
