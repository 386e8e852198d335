internal import Glibc
public import Logging
internal import Synchronization

/// How a process logs: one line per event to standard error.
public struct LogConfiguration: Sendable {
    /// The name of the process in every line, such as `coordinator` or `fetcher-2`.
    public var process: String
    /// The process id in every line.
    public var pid: Int32
    /// Events below it are not made.
    public var level: Logger.Level
    /// The form of the lines.
    public var format: LogFormat
    /// The clock.
    public var now: @Sendable () -> UTCTime
    /// Takes one line, without its line feed.
    public var write: @Sendable (String) -> Void

    /// A configuration; clock and output are given by tests only.
    public init(
        process: String, level: Logger.Level = .info, format: LogFormat = .logfmt, pid: Int32 = ProcessStatistics.pid,
        now: @escaping @Sendable () -> UTCTime = { .now }, write: @escaping @Sendable (String) -> Void = StandardError.write(line:)
    ) {
        self.process = process
        self.pid = pid
        self.level = level
        self.format = format
        self.now = now
        self.write = write
    }

    /// A logger that is independent of the process-wide logging system. Lines name the label where it differs from the process.
    public func makeLogger(label: String? = nil) -> Logger {
        Logger(label: label ?? process) { LineLogHandler(label: $0, configuration: self) }
    }

    /// Makes this the logging system of the process, for libraries that make their own loggers. Once per process, at its start.
    public func bootstrap() {
        LoggingSystem.bootstrap { LineLogHandler(label: $0, configuration: self) }
    }
}

/// Standard error, line by line.
public enum StandardError {
    private static let lock = Mutex<Void>(())

    /// Writes a line with a single write(2): up to PIPE_BUF (4096 bytes) no other process's line comes between its bytes. What the
    /// system does not take (a closed or full non-blocking pipe) is lost: a process must not fail for its logs.
    public static func write(line: String) {
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        lock.withLock { _ in
            while !bytes.isEmpty {
                let count = Glibc.write(STDERR_FILENO, bytes, bytes.count)
                if count > 0 {
                    bytes.removeFirst(count)
                } else if count < 0, errno == EINTR {
                    continue
                } else {
                    return
                }
            }
        }
    }
}
