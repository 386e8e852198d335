internal import Synchronization

/// Who writes the lines of a log: learned only while the process runs, and then in every line from there on. Thread-safe.
public final class LogIdentity: Sendable {
    private struct Names {
        var process: String
        var run: String?
    }

    private let names: Mutex<Names>

    /// - Parameter process: the name of the process, such as `coordinator`, until it is given another.
    public init(process: String) { names = Mutex(Names(process: process)) }

    /// The process is this worker of this run from here on.
    /// - Parameters:
    ///   - process: such as `fetcher-3`; nil: as it was.
    ///   - run: the run's id.
    public func set(process: String? = nil, run: String) {
        names.withLock { names in
            names.process = process ?? names.process
            names.run = run
        }
    }

    /// The name of the process, and the run where it is known.
    var current: (process: String, run: String?) { names.withLock { ($0.process, $0.run) } }
}
