internal import Synchronization

/// What the thread needs to know to open a socket.
struct OpenRequest: Sendable {
    let socket: Int
    let kind: SocketKind
    let endpoint: Endpoint
    let sink: Sink
    let counters: SocketCounters
}

/// What other threads ask of the loop's thread; done in the order in which it was asked.
enum Command: Sendable {
    case open(OpenRequest, CheckedContinuation<Result<Endpoint, ZeroMQError>, Never>)
    case send(Message, socket: Int, peer: PeerID?, CheckedContinuation<Delivery, Never>?)
    case close(socket: Int, linger: Duration)
    case shutDown(linger: Duration)

    /// Answers whoever waits for a command that will not be done.
    func refuse(_ reason: ZeroMQError) {
        switch self {
        case .open(_, let waiter): waiter.resume(returning: .failure(reason))
        case .send(_, _, _, let waiter): waiter?.resume(returning: .closed)
        case .close, .shutDown: break
        }
    }
}

/// The way into the loop's thread: a queue of commands and a descriptor that wakes the thread.
final class LoopInbox: Sendable {
    private struct State {
        var commands: [Command] = []
        /// The thread has been woken and has not taken the commands yet.
        var isSignalled = false
        /// Set once, by the thread: no command is taken any more.
        var end: ZeroMQError?
        /// The thread has let go of everything.
        var isOver = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    let wakeUp: WakeUp
    private let state = Mutex(State())
    private let lastSocket = Atomic<Int>(0)

    init() throws(ZeroMQError) {
        wakeUp = try WakeUp()
    }

    /// A number that no other socket of this loop has.
    func newSocketNumber() -> Int {
        lastSocket.add(1, ordering: .relaxed).newValue
    }

    /// Queues a command, or refuses it where the loop has ended. Never blocks for longer than another caller's append.
    func post(_ command: Command) {
        let (end, mustWake) = state.withLock { state -> (ZeroMQError?, Bool) in
            if let end = state.end { return (end, false) }
            state.commands.append(command)
            defer { state.isSignalled = true }
            return (nil, !state.isSignalled)
        }
        if let end {
            command.refuse(end)
        } else if mustWake {
            wakeUp.signal()
        }
    }

    /// All commands so far. Cleared before they are taken: a wake-up too many is harmless, one too few is not.
    func take() -> [Command] {
        wakeUp.clear()
        return state.withLock { state in
            state.isSignalled = false
            let commands = state.commands
            state.commands = []
            return commands
        }
    }

    /// Refuses everything from now on, and what is still queued.
    func end(_ reason: ZeroMQError) {
        let left = state.withLock { state in
            state.end = reason
            let commands = state.commands
            state.commands = []
            return commands
        }
        for command in left { command.refuse(reason) }
    }

    /// Tells those who wait that the thread is through.
    func finish() {
        let waiters = state.withLock { state in
            state.isOver = true
            let waiters = state.waiters
            state.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the thread is through.
    func waitForEnd() async {
        await withCheckedContinuation { waiter in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(waiter) }
                return state.isOver
            }
            if isOver { waiter.resume() }
        }
    }
}
