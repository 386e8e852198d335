internal import CZeroMQ
internal import Glibc

/// Wakes the loop's thread out of its poll: an eventfd, which any thread may write and which never blocks.
final class WakeUp: Sendable {
    let descriptor: Int32

    init() throws(ZeroMQError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .last(.setUpFailed, "eventfd") }
    }

    deinit {
        close(descriptor)
    }

    /// Makes the descriptor readable. Its one other outcome, EAGAIN at a count of 2^64 - 2, leaves it readable as well.
    func signal() {
        while eventfd_write(descriptor, 1) != 0, errno == EINTR {}
    }

    /// Makes the descriptor unreadable again.
    func clear() {
        var count: eventfd_t = 0
        while eventfd_read(descriptor, &count) != 0, errno == EINTR {}
    }
}
