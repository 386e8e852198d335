internal import Glibc
internal import UnixSignals

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

/// SIGTERM and SIGINT as they come, for one consumer; while an instance exists, they no longer kill the process. Never ends by itself.
public struct TerminationSignals: AsyncSequence, Sendable {
    /// Signals never fail.
    public typealias Failure = Never

    private let signals: UnixSignalsSequence

    /// Takes over SIGTERM and SIGINT. One instance per process at a time.
    public init() async {
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    }

    /// Ignores SIGPIPE for the whole process: a write to a peer that is gone gives EPIPE instead of an end.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// The signals from now on.
    public func makeAsyncIterator() -> Iterator {
        Iterator(base: signals.makeAsyncIterator())
    }

    /// Hands out one signal after the other.
    public struct Iterator: AsyncIteratorProtocol {
        private var base: UnixSignalsSequence.AsyncIterator

        fileprivate init(base: UnixSignalsSequence.AsyncIterator) {
            self.base = base
        }

        /// The next signal; nil when the task is cancelled.
        public mutating func next() async -> TerminationSignal? {
            switch await base.next() {
            case .some(.sigint): .interrupt
            case .some: .terminate
            case nil: nil
            }
        }
    }
}
