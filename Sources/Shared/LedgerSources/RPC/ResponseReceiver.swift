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

    /// Whether it is this response's turn to be read: from its first piece to its end.
    private enum Turn { case none, awaited, taken }

    private struct State {
        var head: ResponseHead?
        var json = JSONStream()
        var ledgers: LedgersStream?
        var small = ByteBuffer()
        var bytes = 0
        var isOver = false
        /// What gives turns, where ledgers are expected.
        var turns: ReadingTurns?
        var turn = Turn.none
        var idleTimeout = TimeAmount.seconds(30)
        /// When the last piece was taken.
        var progress = NIODeadline.now()
        var idleTimer: Scheduled<Void>?
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

    /// Before the request is sent: ledgers are read only when it is this response's turn, and without a byte for so long the request fails.
    func prepare(turns: ReadingTurns, idleTimeout: TimeAmount) {
        state.withLock { state in
            if state.ledgers != nil { state.turns = turns }
            state.idleTimeout = idleTimeout
        }
    }

    /// Whether anything of a response has arrived.
    var hasBegun: Bool { state.withLock { $0.head != nil } }

    func didSendRequest(task: HTTPClient.Task<Void>) {
        state.withLock { $0.progress = .now() }
        failIfIdle(task)
    }

    /// Looks again when the time-out would be over. The client can watch over it as well, but sets a timer for every read.
    private func failIfIdle(_ task: HTTPClient.Task<Void>) {
        let isIdle = state.withLock { state in
            if state.isOver { return false }
            // Its bytes wait for us then, not we for them.
            if state.turn == .awaited { state.progress = .now() }
            let end = state.progress + state.idleTimeout
            if end <= .now() { return true }
            state.idleTimer = task.eventLoop.scheduleTask(deadline: end) { self.failIfIdle(task) }
            return false
        }
        if isIdle { task.fail(reason: HTTPClientError.readTimeout) }
    }

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
        let turns = state.withLock { state -> ReadingTurns? in
            guard state.turn == .none, !state.isOver, let turns = state.turns else { return nil }
            state.turn = .awaited
            return turns
        }
        guard let turns else { return take(task, part) }
        guard let wait = turns.take() else {
            begin(turns)
            return take(task, part)
        }
        // The client reads no more of this response until then.
        return wait.flatMap {
            self.begin(turns)
            return self.take(task, part)
        }
    }

    private func begin(_ turns: ReadingTurns) {
        let isOver = state.withLock { state in
            if !state.isOver { state.turn = .taken }
            return state.isOver
        }
        if isOver { turns.giveBack() }
    }

    private func take(_ task: HTTPClient.Task<Void>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
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

    func didFinishRequest(task: HTTPClient.Task<Void>) throws { stopIdleTimer() }

    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) { stopIdleTimer() }

    private func stopIdleTimer() { state.withLock { $0.idleTimer.take() }?.cancel() }

    /// What was received. No further piece is taken.
    func end() -> (head: ResponseHead?, bytes: Int, small: ByteBuffer, json: JSONStream, ledgers: LedgersStream?) {
        let (turns, response) = state.withLock { state in
            state.isOver = true
            state.ledgers?.giveBackMemory()
            return (state.turn == .taken ? state.turns : nil, (state.head, state.bytes, state.small, state.json, state.ledgers))
        }
        turns?.giveBack()
        return response
    }

    private func step(_ task: HTTPClient.Task<Void>, _ body: (inout State) throws -> Void) -> EventLoopFuture<Void> {
        do {
            // Pieces may still come after the task was cancelled; nobody waits for them any more.
            try state.withLock { state in
                if state.isOver { return }
                try body(&state)
                state.progress = .now()
                if state.turn == .taken { state.turns?.progressed() }
            }
            return task.eventLoop.makeSucceededVoidFuture()
        } catch {
            return task.eventLoop.makeFailedFuture(error)
        }
    }
}
