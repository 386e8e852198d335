internal import COperations
internal import Dispatch
internal import Glibc
public import Logging

/// A signal that asks the process to end in good order.
public enum TerminationSignal: Hashable, Sendable, CustomStringConvertible {
    /// SIGINT, as from the keyboard.
    case interrupt
    /// SIGTERM, as from a supervisor.
    case terminate

    /// `SIGINT` or `SIGTERM`.
    public var description: String {
        switch self {
        case .interrupt: "SIGINT"
        case .terminate: "SIGTERM"
        }
    }

    /// What the process exits with after it.
    public var exitStatus: ExitStatus {
        switch self {
        case .interrupt: .interrupted
        case .terminate: .terminated
        }
    }
}

/// SIGTERM and SIGINT as they come, for one consumer. They no longer end the process at once, but they always end it.
///
/// The first one is a request, delivered here. If the process still lives ten seconds later, or when a second one comes, it is ended with the
/// first one's exit status, whatever its threads do: a thread of its own waits for that. That is safe at any moment, as the
/// database decides what was committed.
public struct TerminationSignals: AsyncSequence, Sendable {
    /// Signals never fail.
    public typealias Failure = Never

    private let signals: AsyncStream<TerminationSignal>

    /// Takes over SIGTERM and SIGINT for good. One instance per process; of several the last one gets the signals.
    ///
    /// - Parameters:
    ///   - limit: how long the orderly end may take.
    ///   - logger: gets a line that says why the process is ended.
    ///   - terminate: ends the process at once; replaced in tests only.
    public init(
        limit: Duration = .seconds(10), logger: Logger, terminate: @escaping @Sendable (ExitStatus) -> Void = { $0.endProcessNow() }
    ) {
        let (signals, report) = AsyncStream.makeStream(of: TerminationSignal.self)
        self.signals = signals
        var pipe: [Int32] = [-1, -1]
        var failure: Int32 = 0
        if unsafe pipe2(&pipe, O_CLOEXEC | O_NONBLOCK) != 0 {
            failure = errno
        } else {
            let arrivals = pipe[0]
            let isWatched = SystemThread.start("termination") {
                TerminationWatchdog(arrivals: arrivals, limit: limit, logger: logger, terminate: terminate).run { report.yield($0) }
            }
            failure = isWatched ? write_termination_signals_to(pipe[1]) : EAGAIN
        }
        if failure != 0 {
            logger.warning(
                "SIGTERM and SIGINT end this process at once: they cannot be caught",
                metadata: ["cause": "\(unsafe String(cString: strerror(failure)))"])
        }
    }

    /// Ignores SIGPIPE for the whole process: a write to a peer that is gone gives EPIPE instead of an end.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// The signals from now on.
    public func makeAsyncIterator() -> AsyncStream<TerminationSignal>.Iterator {
        signals.makeAsyncIterator()
    }
}

/// Ends the process when it does not end itself. Runs on a thread of its own and needs no other one: all may hang.
private struct TerminationWatchdog {
    /// What the handler writes comes out here.
    let arrivals: Int32
    let limit: Duration
    let logger: Logger
    let terminate: @Sendable (ExitStatus) -> Void

    /// timeout(1) and shells signal a process and then its whole group: the same signal again within this time is the same request.
    private static let sameRequest = Duration.milliseconds(100)

    func run(_ report: (TerminationSignal) -> Void) {
        unblock_termination_signals()
        guard let first = next(before: nil) else { return }
        report(first.signal)
        let deadline = ContinuousClock.now + limit
        while let further = next(before: deadline) {
            if further.signal == first.signal, further.time - first.time < Self.sameRequest { continue }
            return end(first.signal, "a second signal, \(further.signal), came before the end: ended at once")
        }
        end(first.signal, "the end took longer than \(limit): ended at once")
    }

    private func end(_ signal: TerminationSignal, _ reason: String) {
        // A thread for this as well: the log may hang, as anything else.
        let isLogged = DispatchSemaphore(value: 0)
        let canLog = SystemThread.start("last-words") {
            logger.error("\(reason); the database decides what was committed", metadata: ["signal": "\(signal)"])
            StandardError.flush(within: .milliseconds(500))
            isLogged.signal()
        }
        if canLog { _ = isLogged.wait(timeout: .now() + 0.5) }
        terminate(signal.exitStatus)
    }

    /// The next signal with the time when it came; nil when the time is over.
    private func next(before deadline: ContinuousClock.Instant?) -> (signal: TerminationSignal, time: Duration)? {
        while true {
            var arrival = signal_arrival()
            let size = MemoryLayout<signal_arrival>.size
            if unsafe read(arrivals, &arrival, size) == size {
                return (arrival.signal == SIGINT ? .interrupt : .terminate, .nanoseconds(arrival.nanoseconds))
            }
            var timeout: Int32 = -1
            if let deadline {
                let left = (deadline - .now) / .milliseconds(1)
                if left <= 0 { return nil }
                timeout = Int32(min(left.rounded(.up), 1e9))
            }
            var pipe = pollfd(fd: arrivals, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&pipe, 1, timeout)
        }
    }
}
