internal import CZeroMQ
internal import Glibc

/// The thread that owns a context and its sockets. It alone calls libzmq; it blocks in one place only, the poll over
/// its sockets and the inbox's descriptor.
final class LoopThread {
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
        self.context = context
    }

    /// Starts the thread; it ends on `Command.shutDown` or when libzmq fails.
    static func start(name: String, inbox: LoopInbox) throws(ZeroMQError) {
        guard let context = zmq_ctx_new() else { throw .last(.setUpFailed, "context of \(name)") }
        let box = Unmanaged.passRetained(LoopThread(name: name, inbox: inbox, context: context))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil, { Unmanaged<LoopThread>.fromOpaque($0.unsafelyUnwrapped).takeRetainedValue().run() }, box.toOpaque())
        guard result == 0 else {
            box.release()
            zmq_ctx_term(context)
            throw ZeroMQError(.setUpFailed, "thread of \(name)", systemError: result)
        }
        pthread_detach(thread)
    }

    private func run() -> UnsafeMutableRawPointer? {
        maskSignals()
        // The kernel keeps 15 bytes of a thread's name.
        pthread_setname_np(pthread_self(), "zmq-" + String(decoding: Array(name.utf8.prefix(11)), as: UTF8.self))
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
        sigfillset(&signals)
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { sigdelset(&signals, fault) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func serve() throws(ZeroMQError) {
        while true {
            let events = try poll()
            guard events[0] == 0 else {
                for command in inbox.take() {
                    guard try perform(command) else { return }
                }
                // The list may have changed, so its events mean nothing now; and a flood of commands must not keep messages waiting.
                for (_, socket) in sockets {
                    try socket.flush()
                    try socket.receive(limit: Self.turn)
                }
                continue
            }
            for (index, entry) in sockets.enumerated() {
                if events[index + 1] & Int16(ZMQ_POLLOUT) != 0 { try entry.socket.flush() }
                if events[index + 1] & Int16(ZMQ_POLLIN) != 0 { try entry.socket.receive(limit: Self.turn) }
            }
        }
    }

    /// Waits for an event; the first of the results is the inbox's, the others are the sockets' in order.
    private func poll() throws(ZeroMQError) -> [Int16] {
        var items = [zmq_pollitem_t(socket: nil, fd: inbox.wakeUp.descriptor, events: Int16(ZMQ_POLLIN), revents: 0)]
        for (_, socket) in sockets {
            let events = Int16(ZMQ_POLLIN) | (socket.hasBacklog ? Int16(ZMQ_POLLOUT) : 0)
            items.append(zmq_pollitem_t(socket: socket.handle, fd: 0, events: events, revents: 0))
        }
        while zmq_poll(&items, Int32(items.count), -1) < 0 {
            guard zmq_errno() == EINTR else { throw .last(.loopFailed, "poll of \(name)") }
        }
        return items.map(\.revents)
    }

    /// Does what was asked; false where that was to stop.
    private func perform(_ command: Command) throws(ZeroMQError) -> Bool {
        switch command {
        case .open(let request, let waiter):
            do {
                let socket = try OpenSocket(context: context, request)
                sockets.append((request.socket, socket))
                waiter.resume(returning: .success(socket.actualEndpoint))
            } catch {
                request.sink.finish(error)
                waiter.resume(returning: .failure(error))
            }
        case .send(let message, let number, let peer, let waiter):
            guard let socket = sockets.first(where: { $0.number == number })?.socket else {
                waiter?.resume(returning: .closed)
                break
            }
            do {
                let delivery = try socket.send(message, to: peer)
                waiter?.resume(returning: delivery)
            } catch {
                waiter?.resume(returning: .closed)
                throw error
            }
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
        while zmq_ctx_term(context) != 0, zmq_errno() == EINTR {}
        inbox.finish()
    }
}
