internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Writes a response body into one buffer, of the size that Content-Length announces.
///
/// The general-purpose ways to get a body grow their buffer again and again, or keep a list of pieces: at a gigabyte per second that costs as much as
/// the receiving itself.
final class ResponseCollector: HTTPClientResponseDelegate {
    typealias Response = HTTPAnswer

    private struct State {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
    }

    private let pool: BufferPool
    private let limit: Int
    private let state = Mutex(State())

    /// Room made where the length is not announced.
    private static let roomWithoutLength = 1 << 16

    /// - Parameter limit: longest body that is taken, in bytes.
    init(pool: BufferPool, limit: Int) {
        self.pool = pool
        self.limit = limit
    }

    /// Whether anything of an answer has arrived.
    var hasBegun: Bool { state.withLock { $0.head != nil } }

    func didReceiveHead(task: HTTPClient.Task<HTTPAnswer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        if let length, length > limit { return task.eventLoop.makeFailedFuture(AnswerTooLarge(bytes: length)) }
        state.withLock { state in
            state.head = head
            state.body = pool.take(capacity: length ?? Self.roomWithoutLength)
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<HTTPAnswer>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        let size = state.withLock { state in
            guard state.body.readableBytes + part.readableBytes <= limit else { return state.body.readableBytes + part.readableBytes }
            return state.body.writeImmutableBuffer(part)
        }
        guard size <= limit else { return task.eventLoop.makeFailedFuture(AnswerTooLarge(bytes: size)) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveError(task: HTTPClient.Task<HTTPAnswer>, _ error: any Error) {
        pool.give(takeBody())
    }

    func didFinishRequest(task: HTTPClient.Task<HTTPAnswer>) throws -> HTTPAnswer {
        guard let head = state.withLock({ $0.head }) else { throw HTTPClientError.remoteConnectionClosed }
        let encoding = head.headers.first(name: "content-encoding")
        return HTTPAnswer(
            status: Int(head.status.code), retryAfter: head.headers.first(name: "retry-after"),
            encoding: encoding == "identity" ? nil : encoding, body: takeBody())
    }

    private func takeBody() -> ByteBuffer {
        state.withLock { state in
            let body = state.body
            state.body = ByteBuffer()
            return body
        }
    }
}
