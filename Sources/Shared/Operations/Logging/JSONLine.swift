/// A record as one JSON object; every field is a string, a list or an object.
enum JSONLine {
    static func line(_ record: LogRecord) -> String {
        var entries = [
            "\"ts\":\"\(record.time.text)\"", "\"level\":\"\(record.level)\"", "\"process\":\(quotedForLogs(record.process))",
            "\"pid\":\(record.pid)",
        ]
        if let logger = record.logger { entries.append("\"logger\":\(quotedForLogs(logger))") }
        entries.append("\"msg\":\(quotedForLogs(record.message))")
        entries += record.fields.map { "\"\($0.key)\":\(json($0.value))" }
        return "{" + entries.joined(separator: ",") + "}"
    }

    private static func json(_ value: LogValue) -> String {
        switch value {
        case .text(let text): quotedForLogs(text)
        case .list(let items): "[" + items.map(json).joined(separator: ",") + "]"
        case .object(let entries): "{" + entries.map { "\(quotedForLogs($0.key)):\(json($0.value))" }.joined(separator: ",") + "}"
        }
    }
}
