public import Logging

/// How a process logs: one line per event to standard error.
public struct LogConfiguration: Sendable {
    /// The name of the process, as loggers are named; what stands in the lines is the identity's.
    public let process: String
    /// The name of the process in every line, such as `coordinator` or `fetcher-2`, and the run.
    public let identity: LogIdentity
    /// The process id in every line.
    public var pid: Int32
    /// Events below it are not made.
    public var level: Logger.Level
    /// The form of the lines.
    public var format: LogFormat
    private let style: TextStyle
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
        identity = LogIdentity(process: process)
        style = TextStyle(environment: ProcessEnvironment.current)
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
        StandardError.reportLoss { lineAboutLoss(of: $0) }
        LoggingSystem.bootstrap { LineLogHandler(label: $0, configuration: self) }
    }

    /// One event as a line.
    func line(_ level: Logger.Level, _ message: String, logger: String?, fields: [LogField]) -> String {
        let (process, run) = identity.current
        let record = LogRecord(
            time: now(), level: level.rawValue, process: process, pid: pid, run: run, logger: logger, message: message, fields: fields)
        return switch format {
        case .logfmt: LogfmtLine.line(record)
        case .json: JSONLine.line(record)
        case .console: ConsoleLine.line(record, style)
        }
    }

    /// Says how many lines nobody read.
    func lineAboutLoss(of count: Int) -> String {
        line(
            .warning, "log lines were dropped: standard error was not read fast enough", logger: nil,
            fields: [LogField(key: "dropped", value: .text("\(count)"))])
    }
}

/// The form of a log line.
public enum LogFormat: String, CaseIterable, Sendable {
    /// `ts=... level=info process=coordinator pid=42 msg="..." key=value`
    case logfmt
    /// One JSON object per line with the same keys.
    case json
    /// For eyes: time of day, process, message, fields; what is the same in all lines is left out.
    case console
}

/// A backend of swift-log that makes one line of each event.
public struct LineLogHandler: LogHandler {
    /// Fields of every event of this logger.
    public var metadata: Logger.Metadata = [:]
    /// Events below it are not made.
    public var logLevel: Logger.Level
    /// Fields taken from the task at the time of the event.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let configuration: LogConfiguration

    init(label: String, configuration: LogConfiguration) {
        self.label = label
        self.configuration = configuration
        logLevel = configuration.level
    }

    /// A field of every event of this logger.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the event's line.
    public func log(event: LogEvent) {
        var fields = metadataProvider?.get() ?? [:]
        fields.merge(metadata) { $1 }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        configuration.write(
            configuration.line(
                event.level, event.message.description, logger: label == configuration.process ? nil : label, fields: Self.ordered(fields)))
    }

    /// By key, so that lines of one kind look alike. (Two keys that become one in ``LogRecord/key(_:)`` both stay.)
    private static func ordered(_ metadata: Logger.Metadata) -> [LogField] {
        metadata.sorted { $0.key < $1.key }.map { LogField(key: LogRecord.key($0.key), value: value($0.value)) }
    }

    private static func value(_ metadata: Logger.Metadata.Value) -> LogValue {
        switch metadata {
        case .string(let text): .text(text)
        case .stringConvertible(let value): .text(value.description)
        case .array(let items): .list(items.map(value))
        case .dictionary(let entries): .object(entries.sorted { $0.key < $1.key }.map { LogField(key: $0.key, value: value($0.value)) })
        }
    }
}
