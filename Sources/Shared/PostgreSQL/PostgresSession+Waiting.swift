internal import CLibPQ
internal import Foundation
internal import Glibc
internal import Synchronization

/// One call on a connection, as far as waiting for the server is concerned.
struct ServerCall {
    /// The statement or its label, for errors.
    let attempted: String
    /// Whether the server is asked to cancel it when the calling task is cancelled. COMMIT and ROLLBACK are not.
    let isCancellable: Bool
    /// How long the server may take from the moment at which both the call has begun and the task is cancelled. Then the connection is closed.
    let grace: Duration
    let began = ContinuousClock.now

    /// A statement: with the ROLLBACK that may follow it well below the ten seconds within which a signal must end a process.
    static func statement(_ attempted: String) -> ServerCall {
        ServerCall(attempted: attempted, isCancellable: true, grace: .seconds(3))
    }

    /// COMMIT: a little more patience, since its outcome would be in doubt.
    static func commit(_ attempted: String) -> ServerCall {
        ServerCall(attempted: attempted, isCancellable: false, grace: .seconds(5))
    }

    /// ROLLBACK: the server rolls back by itself when the connection is closed.
    static let rollback = ServerCall(attempted: "ROLLBACK", isCancellable: false, grace: .seconds(3))
}

extension PostgresSession {
    /// The next result of what was sent, nil after the last one.
    ///
    /// Waits on the socket and on the waker. After a cancellation the server is asked once to cancel the statement, and the wait goes on for the
    /// call's grace; then the connection is closed.
    func nextResult(_ call: ServerCall) throws(PostgresError) -> ServerResult? {
        guard let handle = unsafe handle else { throw lost(attempted: call.attempted) }
        while true {
            let unsent = unsafe PQflush(handle)
            // A failed write is not the last word: the server's parting message may still be there to read, and PQgetResult gives it.
            if unsent <= 0, unsafe PQisBusy(handle) == 0 { break }
            try waitForSocket(writable: unsent == 1, until: try deadline(of: call), call.attempted)
        }
        return unsafe PQgetResult(handle).map { unsafe ServerResult(owning: $0) }
    }

    /// Waits until the cancel request that was sent for this call, if any, is done: one that is still on its way could hit the next statement.
    func finishCancelRequest(_ call: ServerCall) throws(PostgresError) {
        while let request = cancelRequest {
            if request.take() != nil {
                cancelRequest = nil
            } else {
                _ = try unsafe poll(nil, events: 0, until: try deadline(of: call), call.attempted)
            }
        }
    }

    /// Until when the call may wait; nil while nobody has cancelled it. Sends the cancel request when it is due.
    private func deadline(of call: ServerCall) throws(PostgresError) -> ContinuousClock.Instant? {
        guard let cancelled = cancelFlag?.cancelledAt else { return nil }
        let deadline = max(cancelled, call.began) + call.grace
        guard ContinuousClock.now < deadline else {
            close()
            throw PostgresError(
                kind: call.isCancellable ? .cancelled : .connectionLost,
                message: "the task was cancelled and the server did not respond within \(call.grace): connection closed",
                attempted: call.attempted)
        }
        if call.isCancellable, cancelRequest == nil { cancelRequest = requestCancel() }
        return deadline
    }

    /// Sends the cancel request over a connection of its own, on a thread of its own: PQcancel waits without limit for a server that is stopped.
    private func requestCancel() -> DetachedCall<Void>? {
        guard let cancel = unsafe PQgetCancel(handle) else { return nil }
        let request = unsafe CancelRequest(pointer: cancel)
        return DetachedCall(waking: waker, { request.send() }, discarding: {})
    }

    /// Waits until the socket can be read (what came is consumed), can be written, the waker rings or the time is up.
    func waitForSocket(
        writable: Bool, until deadline: ContinuousClock.Instant? = nil, _ attempted: String
    ) throws(PostgresError) {
        guard let handle = unsafe handle, unsafe PQsocket(handle) >= 0 else { throw lost(attempted: attempted) }
        let ready = try unsafe poll(handle, events: Int16(POLLIN) | (writable ? Int16(POLLOUT) : 0), until: deadline, attempted)
        // An error here (the peer is gone) leaves its message in the connection, and PQisBusy false: PQgetResult reports it.
        if ready & ~Int16(POLLOUT) != 0 { _ = unsafe PQconsumeInput(handle) }
    }

    /// Polls the waker and, where a connection is given, its socket; returns the socket's events (0: the waker rang or the time was up).
    func poll(
        _ connection: OpaquePointer?, events: Int16, until deadline: ContinuousClock.Instant?, _ attempted: String
    ) throws(PostgresError) -> Int16 {
        var waits = unsafe [
            pollfd(fd: PQsocket(connection), events: events, revents: 0),
            pollfd(fd: waker.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        // Rounded up: a wait that ends just before its deadline would be repeated without a pause.
        let timeout = deadline.map { Int32(clamping: max(0, Int64(($0 - .now) / .milliseconds(1)) + 1)) } ?? -1
        let count = unsafe Glibc.poll(&waits, nfds_t(waits.count), timeout)
        guard count >= 0 || errno == EINTR else {
            throw unsafe PostgresError(kind: .other, message: "poll: " + String(cString: strerror(errno)), attempted: attempted)
        }
        guard count > 0 else { return 0 }
        if waits[1].revents != 0 { waker.drain() }
        return waits[0].revents
    }
}

/// Wakes the connection's thread out of `poll`: a pair of sockets, one of which is written to from any thread.
final class Waker: Sendable {
    /// The end that the connection's thread polls.
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(PostgresError) {
        var ends: [Int32] = [-1, -1]
        // pipe2 and eventfd are not imported from Glibc; a pair of sockets can be made non-blocking and close-on-exec in one call, too.
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard unsafe socketpair(AF_UNIX, Int32(type), 0, &ends) == 0 else {
            throw unsafe PostgresError(
                kind: .other, message: String(cString: strerror(errno)), attempted: "making a wake-up for a database connection")
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func wake() {
        var byte: UInt8 = 1
        // A full buffer (EAGAIN) wakes as well as one more byte would.
        _ = unsafe write(writeEnd, &byte, 1)
    }

    /// Takes out what `wake` has put in.
    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while unsafe read(readEnd, &bytes, bytes.count) > 0 {}
    }
}

/// Whether one call on a connection is to end early; set from any thread when the calling task is cancelled.
final class CancelFlag: Sendable {
    private let cancelled = Mutex<ContinuousClock.Instant?>(nil)
    private let waker: Waker

    init(waker: Waker) {
        self.waker = waker
    }

    /// When it was cancelled, nil if it was not.
    var cancelledAt: ContinuousClock.Instant? { cancelled.withLock { $0 } }

    func cancel() {
        cancelled.withLock { $0 = .now }
        waker.wake()
    }
}

/// A call of libpq that may block without limit (name resolution, a cancel request to a stopped server), on a thread of its own.
///
/// Whoever dropped it does not wait for it: the thread ends when the call does, and what it returned is discarded.
final class DetachedCall<Value: Sendable>: Sendable {
    private enum State {
        case running
        case done(Value)
        case dropped
    }

    private let state: Outcome
    private let discard: @Sendable (Value) -> Void

    /// Shared with the thread, which does not keep the call itself alive.
    private final class Outcome: Sendable {
        let state = Mutex(State.running)
    }

    init(waking waker: Waker, _ call: @escaping @Sendable () -> Value, discarding discard: @escaping @Sendable (Value) -> Void) {
        let outcome = Outcome()
        state = outcome
        self.discard = discard
        let thread = Thread {
            let value = call()
            let isWanted = outcome.state.withLock { state in
                guard case .running = state else { return false }
                state = .done(value)
                return true
            }
            if isWanted { waker.wake() } else { discard(value) }
        }
        thread.name = "libpq"
        thread.start()
    }

    deinit {
        let unclaimed: Value? = state.state.withLock { state in
            defer { state = .dropped }
            return if case .done(let value) = state { value } else { nil }
        }
        if let unclaimed { discard(unclaimed) }
    }

    /// What the call has returned, once; nil while it runs.
    func take() -> Value? {
        state.state.withLock { state in
            guard case .done(let value) = state else { return nil }
            state = .dropped
            return value
        }
    }
}

/// What libpq needs to send a cancel request, independent of the connection that it was made of.
@safe private final class CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    deinit { unsafe PQfreeCancel(pointer) }

    /// Returns when the server has taken note; a failure means that the statement runs on until the connection is closed.
    func send() {
        var complaint = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(pointer, &complaint, Int32(complaint.count))
    }
}
