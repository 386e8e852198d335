package import AsyncHTTPClient
package import NIOCore
package import NIOHTTP1
internal import Synchronization

/// An object is larger than it may be, and was not received any further.
package struct AnswerTooLarge: Error {
    /// The size announced, or received so far.
    package var bytes: Int
    package var limit: Int
}

/// Writes a response body into one buffer, of the size that Content-Length announces.
///
/// The general-purpose ways to get a body grow their buffer again and again, or keep a list of pieces: at a gigabyte per second that
/// costs as much as the receiving itself.
package final class AnswerCollector: HTTPClientResponseDelegate {
    package typealias Response = HTTPResponseHead

    private struct State {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
    }

    private let limit: Int
    private let onArrival: @Sendable () -> Void
    private let state = Mutex(State())

    /// A buffer is made for so many bytes where the length is not announced.
    private static let unannounced = 1 << 16
    /// Of an answer that holds no object, so much is kept: error documents are shorter.
    private static let errorBytes = 1 << 16

    package init(limit: Int, onArrival: @escaping @Sendable () -> Void = {}) {
        self.limit = limit
        self.onArrival = onArrival
    }

    /// Whether anything of a response has arrived.
    package var hasBegun: Bool { state.withLock { $0.head != nil } }

    /// The body of a response that has been received to its end. The collector has it no longer.
    package func takeBody() -> ByteBuffer {
        state.withLock { state in
            var body = ByteBuffer()
            swap(&state.body, &body)
            return body
        }
    }

    package func didReceiveHead(task: HTTPClient.Task<Response>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }.map { max(0, $0) }
        let isObject = head.status == .ok
        if isObject, let length, length > limit {
            return task.eventLoop.makeFailedFuture(AnswerTooLarge(bytes: length, limit: limit))
        }
        let most = isObject ? limit : Self.errorBytes
        state.withLock { state in
            state.head = head
            state.body = ByteBufferAllocator().buffer(capacity: min(length ?? Self.unannounced, most))
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    package func didReceiveBodyPart(task: HTTPClient.Task<Response>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        let size = state.withLock { state in
            let size = state.body.readableBytes + part.readableBytes
            if state.head?.status != .ok {
                var beginning = part
                let room = max(0, Self.errorBytes - state.body.readableBytes)
                if var kept = beginning.readSlice(length: min(room, part.readableBytes)) { state.body.writeBuffer(&kept) }
                return 0
            }
            if size <= limit { state.body.writeImmutableBuffer(part) }
            return size
        }
        if size > limit { return task.eventLoop.makeFailedFuture(AnswerTooLarge(bytes: size, limit: limit)) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    package func didFinishRequest(task: HTTPClient.Task<Response>) throws -> Response {
        guard let head = state.withLock({ $0.head }) else { throw HTTPClientError.remoteConnectionClosed }
        if head.status == .ok { onArrival() }
        return head
    }
}
