internal import Glibc
internal import Synchronization

/// Wakes the connection's thread out of `poll`: a pair of sockets, one of which is written to from any thread.
final class Waker: Sendable {
    /// The end that the connection's thread polls.
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(PostgresError) {
        var ends: [Int32] = [-1, -1]
        // pipe2 and eventfd are not imported from Glibc; a pair of sockets can be made non-blocking and close-on-exec in one call, too.
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        guard socketpair(AF_UNIX, Int32(type), 0, &ends) == 0 else {
            throw PostgresError(
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
        _ = write(writeEnd, &byte, 1)
    }

    /// Takes out what `wake` has put in.
    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(readEnd, &bytes, bytes.count) > 0 {}
    }
}

/// Whether one call on a connection is to end early; set from any thread when the calling task is cancelled.
final class CancelFlag: Sendable {
    private let cancelled = Atomic(false)
    private let waker: Waker

    init(waker: Waker) {
        self.waker = waker
    }

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func cancel() {
        cancelled.store(true, ordering: .releasing)
        waker.wake()
    }
}
