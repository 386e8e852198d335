/// What became of a message.
public enum Delivery: Hashable, Sendable {
    /// libzmq has it. It will be delivered unless the connection or one of the processes dies: nothing here confirms receipt.
    case queued
    /// The peer is not, or no longer, connected; the message was dropped.
    case unroutable
    /// The socket or its loop was closed before; the message was dropped.
    case closed
}

/// What router and dealer have in common: a number that the loop's thread knows them by. Closes the socket when nobody holds it.
final class SocketHandle: Sendable {
    let loop: SocketLoop
    let number: Int
    let counters: SocketCounters

    init(loop: SocketLoop, number: Int, counters: SocketCounters) {
        self.loop = loop
        self.number = number
        self.counters = counters
    }

    deinit {
        close(linger: SocketLoop.defaultLinger)
    }

    func send(_ message: Message, to peer: PeerID?) {
        loop.post(.send(message, socket: number, peer: peer, nil))
    }

    func offer(_ message: Message, to peer: PeerID?) async -> Delivery {
        await withCheckedContinuation { loop.post(.send(message, socket: number, peer: peer, $0)) }
    }

    func close(linger: Duration) {
        loop.post(.close(socket: number, linger: linger))
    }
}
