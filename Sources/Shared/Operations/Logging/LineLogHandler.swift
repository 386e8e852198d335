public import Logging

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
        let record = LogRecord(
            time: configuration.now(), level: event.level.rawValue, process: configuration.process, pid: configuration.pid,
            logger: label == configuration.process ? nil : label, message: event.message.description, fields: Self.ordered(fields))
        switch configuration.format {
        case .logfmt: configuration.write(LogfmtLine.line(record))
        case .json: configuration.write(JSONLine.line(record))
        }
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
