internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// What comes before a response's body.
struct ResponseHead: Sendable {
    /// The status code.
    var status: Int
    /// `Retry-After`, as it came.
    var retryAfter: String?
    /// `Content-Encoding` other than identity. We never ask for one.
    var encoding: String?

    var isSuccess: Bool { (200...299).contains(status) }
}

/// Takes a response while it arrives: ledgers are read out of each piece at once, anything else is kept, as far as it is small.
final class ResponseReceiver: HTTPClientResponseDelegate {
    typealias Response = Void

    private struct State {
        var head: ResponseHead?
        var json = JSONStream()
        var ledgers: LedgersStream?
        var small = ByteBuffer()
        var bytes = 0
        var isOver = false
    }

    /// Longest response that is kept.
    private static let longestSmall = 1 << 20

    private let state: Mutex<State>
    private let onBegin: @Sendable () -> Void

    /// - Parameters:
    ///   - ledgers: what reads the ledgers out of a response with status 2xx; nil where none are expected.
    ///   - onBegin: called when the head of a response with status 2xx is here.
    init(_ ledgers: sending LedgersStream?, onBegin: @escaping @Sendable () -> Void = {}) {
        state = Mutex(State(ledgers: ledgers))
        self.onBegin = onBegin
    }

    /// Whether anything of a response has arrived.
    var hasBegun: Bool { state.withLock { $0.head != nil } }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let encoding = head.headers.first(name: "content-encoding")
        let received = ResponseHead(
            status: Int(head.status.code), retryAfter: head.headers.first(name: "retry-after"),
            encoding: encoding == "identity" ? nil : encoding)
        return step(task) { state in
            state.head = received
            if let encoding = received.encoding, received.isSuccess {
                throw AttemptFailure(
                    .malformedResponse, "the response is encoded as \(AttemptFailure.shown(encoding)), which was not asked for")
            }
            if received.isSuccess { onBegin() }
        }
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        step(task) { state in
            state.bytes += part.readableBytes
            if state.head?.isSuccess == true, var ledgers = state.ledgers.take() {
                defer { state.ledgers = ledgers }
                try state.json.take(part.readableBytesUInt8Span, &ledgers)
            } else {
                guard state.bytes <= Self.longestSmall else {
                    throw AttemptFailure(.responseTooLarge, "the response of \(state.bytes) bytes or more is larger than allowed")
                }
                state.small.writeImmutableBuffer(part)
            }
        }
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {}

    /// What was received. No further piece is taken.
    func end() -> (head: ResponseHead?, bytes: Int, small: ByteBuffer, json: JSONStream, ledgers: LedgersStream?) {
        state.withLock { state in
            state.isOver = true
            state.ledgers?.giveBackMemory()
            return (state.head, state.bytes, state.small, state.json, state.ledgers)
        }
    }

    private func step(_ task: HTTPClient.Task<Void>, _ body: (inout State) throws -> Void) -> EventLoopFuture<Void> {
        do {
            // Pieces may still come after the task was cancelled; nobody waits for them any more.
            try state.withLock { state in if !state.isOver { try body(&state) } }
            return task.eventLoop.makeSucceededVoidFuture()
        } catch {
            return task.eventLoop.makeFailedFuture(error)
        }
    }
}
