internal import Synchronization

/// What a socket has done so far; read from any thread.
final class SocketCounters: Sendable {
    let sent = Atomic<Int>(0)
    let received = Atomic<Int>(0)
    let unroutable = Atomic<Int>(0)
}

/// Numbers of messages since a socket was opened.
public struct SocketStatistics: Hashable, Sendable {
    /// Messages handed to libzmq.
    public let sent: Int
    /// Messages received.
    public let received: Int
    /// Messages dropped because the peer was not, or no longer, connected; always 0 for a dealer.
    public let unroutable: Int

    init(_ counters: SocketCounters) {
        sent = counters.sent.load(ordering: .relaxed)
        received = counters.received.load(ordering: .relaxed)
        unroutable = counters.unroutable.load(ordering: .relaxed)
    }
}
