internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// The thread that owns a context and its sockets. It alone calls libzmq; it blocks in one place only, the poll over
/// its sockets and the inbox's descriptor.
@safe final class LoopThread {
    /// Messages taken from one socket before the others and the inbox get their turn.
    private static let turn = 256

    private let inbox: LoopInbox
    private let context: UnsafeMutableRawPointer
    private let name: String
    // A handful of sockets: a linear search is the fastest.
    private var sockets: [(number: Int, socket: OpenSocket)] = []
    private var linger = SocketLoop.defaultLinger

    private init(name: String, inbox: LoopInbox, context: UnsafeMutableRawPointer) {
        self.name = name
        self.inbox = inbox
        unsafe self.context = context
    }

    /// Starts the thread; it ends on `Command.shutDown` or when libzmq fails.
    static func start(name: String, inbox: LoopInbox) throws(ZeroMQError) {
        guard let context = unsafe zmq_ctx_new() else { throw .last(.setUpFailed, "context of \(name)") }
        let box = unsafe Unmanaged.passRetained(LoopThread(name: name, inbox: inbox, context: context))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil, { unsafe Unmanaged<LoopThread>.fromOpaque($0.unsafelyUnwrapped).takeRetainedValue().run() }, unsafe box.toOpaque()
        )
        guard result == 0 else {
            unsafe box.release()
            unsafe zmq_ctx_term(context)
            throw ZeroMQError(.setUpFailed, "thread of \(name)", systemError: result)
        }
        pthread_detach(thread)
    }

    private func run() -> UnsafeMutableRawPointer? {
        maskSignals()
        // The kernel keeps 15 bytes of a thread's name.
        unsafe pthread_setname_np(pthread_self(), "zmq-" + String(decoding: Array(name.utf8.prefix(11)), as: UTF8.self))
        do {
            try serve()
            tearDown(failure: nil)
        } catch {
            tearDown(failure: error)
        }
        return nil
    }

    /// The process handles its signals elsewhere. Those that a fault of this very thread raises stay, for the backtrace.
    private func maskSignals() {
        var signals = sigset_t()
        unsafe sigfillset(&signals)
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { unsafe sigdelset(&signals, fault) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func serve() throws(ZeroMQError) {
        while true {
            let events = try poll()
            guard events[0] == 0 else {
                for command in inbox.take() {
                    guard try perform(command) else { return }
                }
                // The list may have changed, so its events mean nothing now; and a flood of commands must not keep messages waiting.
                for (_, socket) in sockets { try socket.receive(limit: Self.turn) }
                continue
            }
            for (index, entry) in sockets.enumerated() where events[index + 1] & Int16(ZMQ_POLLIN) != 0 {
                try entry.socket.receive(limit: Self.turn)
            }
        }
    }

    /// Waits for an event; the first of the results is the inbox's, the others are the sockets' in order.
    private func poll() throws(ZeroMQError) -> [Int16] {
        var items = unsafe [zmq_pollitem_t(socket: nil, fd: inbox.wakeUp.descriptor, events: Int16(ZMQ_POLLIN), revents: 0)]
        for (_, socket) in sockets {
            // One whose consumer is behind is left alone until there is room again, see `Command.resume`.
            let events = socket.traffic.pauseIfFull() ? 0 : Int16(ZMQ_POLLIN)
            unsafe items.append(zmq_pollitem_t(socket: socket.handle, fd: 0, events: events, revents: 0))
        }
        while unsafe zmq_poll(&items, Int32(items.count), -1) < 0 {
            guard zmq_errno() == EINTR else { throw .last(.loopFailed, "poll of \(name)") }
        }
        return unsafe items.map(unsafe \.revents)
    }

    /// Does what was asked; false where that was to stop.
    private func perform(_ command: Command) throws(ZeroMQError) -> Bool {
        switch command {
        case .open(let request, let waiter):
            do {
                let socket = try unsafe OpenSocket(context: context, request)
                sockets.append((request.socket, socket))
                waiter.resume(returning: .success(socket.actualEndpoint))
            } catch {
                request.sink.finish(error)
                waiter.resume(returning: .failure(error))
            }
        case .send(let message, let number, let peer):
            try sockets.first { $0.number == number }?.socket.send(message, to: peer)
        case .resume:
            break
        case .close(let number, let linger):
            guard let index = sockets.firstIndex(where: { $0.number == number }) else { break }
            let socket = sockets.remove(at: index).socket
            socket.close(linger: linger)
            socket.sink.finish(nil)
        case .shutDown(let linger):
            self.linger = linger
            return false
        }
        return true
    }

    private func tearDown(failure: ZeroMQError?) {
        inbox.end(failure ?? ZeroMQError(.closed, "\(name): the sockets have been shut down"))
        for (_, socket) in sockets {
            socket.close(linger: linger)
            socket.sink.finish(failure)
        }
        sockets = []
        // Returns when the last message is out or the longest linger is over.
        while unsafe zmq_ctx_term(context) != 0, zmq_errno() == EINTR {}
        inbox.finish()
    }
}

/// What the thread needs to know to open a socket.
struct OpenRequest: Sendable {
    let socket: Int
    let kind: SocketKind
    let endpoint: Endpoint
    let sink: Sink
    let traffic: SocketTraffic
}

/// What other threads ask of the loop's thread; done in the order in which it was asked.
enum Command: Sendable {
    case open(OpenRequest, CheckedContinuation<Result<Endpoint, ZeroMQError>, Never>)
    case send(Message, socket: Int, peer: PeerID?)
    /// A consumer has made room: look at the sockets again.
    case resume
    case close(socket: Int, linger: Duration)
    case shutDown(linger: Duration)

    /// Responds to whoever waits for a command that will not be done.
    func refuse(_ reason: ZeroMQError) {
        switch self {
        case .open(_, let waiter): waiter.resume(returning: .failure(reason))
        case .send, .resume, .close, .shutDown: break
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
        while unsafe eventfd_read(descriptor, &count) != 0, errno == EINTR {}
    }
}
