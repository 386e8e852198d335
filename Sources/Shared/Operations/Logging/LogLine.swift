/// What one log line says.
struct LogRecord {
    /// The keys that every line may have; a field of the same name gets an underscore behind it.
    static let reservedKeys: Set<String> = ["ts", "level", "process", "pid", "run", "logger", "msg"]

    var time: UTCTime
    var level: String
    var process: String
    var pid: Int32
    /// The run, once the process belongs to one.
    var run: String?
    /// The logger's label where it says more than the process.
    var logger: String?
    var message: String
    /// Already in the order of output, with keys as ``key(_:)`` makes them.
    var fields: [LogField]

    /// A key that no format needs to quote: letters, digits, `_`, `.` and `-`; anything else becomes `_`.
    static func key(_ raw: String) -> String {
        var key = ""
        for scalar in raw.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-": key.unicodeScalars.append(scalar)
            default: key.append("_")
            }
        }
        if key.isEmpty { key = "_" }
        return reservedKeys.contains(key) ? key + "_" : key
    }
}

/// A key with its value.
struct LogField {
    let key: String
    let value: LogValue
}

/// The value of a field.
indirect enum LogValue {
    case text(String)
    case list([LogValue])
    case object([LogField])

    /// The value as one text, for formats without structure: `[a, b]`, `{k: v}`.
    var flat: String {
        switch self {
        case .text(let text): text
        case .list(let items): "[" + items.map(\.flat).joined(separator: ", ") + "]"
        case .object(let entries): "{" + entries.map { "\($0.key): \($0.value.flat)" }.joined(separator: ", ") + "}"
        }
    }
}

extension Unicode.Scalar {
    /// What must not reach a terminal or end a line: C0, DEL, C1, the line and paragraph separators, and the marks that reorder text.
    var mustBeEscapedInLogs: Bool {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// `\n`, `\r`, `\t`, or `\u` with four digits (all scalars that need it are below U+10000).
    var logEscape: String {
        switch self {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(value, radix: 16)
            return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
    }
}

extension String {
    /// The text with nothing in it that a terminal would obey: what comes from a database or a server may hold anything.
    package var withoutControls: String {
        guard unicodeScalars.contains(where: \.mustBeEscapedInLogs) else { return self }
        return unicodeScalars.reduce(into: "") { $0 += $1.mustBeEscapedInLogs ? $1.logEscape : String($1) }
    }
}

/// A text in double quotes, escaped so that it is valid in JSON and in logfmt alike.
func quotedForLogs(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case _ where scalar.mustBeEscapedInLogs: result += scalar.logEscape
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// A record as `key=value` pairs; values in quotes where a space, a quote, an equals sign or an escape needs them.
enum LogfmtLine {
    static func line(_ record: LogRecord) -> String {
        var line = "ts=\(record.time.text) level=\(record.level) process=\(value(record.process)) pid=\(record.pid)"
        if let run = record.run { line += " run=\(value(run))" }
        if let logger = record.logger { line += " logger=\(value(logger))" }
        line += " msg=\(quotedForLogs(record.message))"
        for field in record.fields { line += " \(field.key)=\(value(field.value.flat))" }
        return line
    }

    static func value(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                scalar != " " && scalar != "\"" && scalar != "=" && scalar != "\\" && !scalar.mustBeEscapedInLogs
            }
        return isPlain ? text : quotedForLogs(text)
    }
}

/// A record for the eyes of somebody at a terminal: `12:04:27Z coordinator  round begins  round=1 target=25999`.
enum ConsoleLine {
    static func line(_ record: LogRecord, _ style: TextStyle) -> String {
        var line = TerminalLine("\(record.time.text.dropFirst(11).prefix(8))Z \(Text.padded(record.process, 11)) ", style.dim)
        if !["trace", "debug", "info", "notice"].contains(record.level) { line.add("\(record.level): ", style.bold) }
        line.add(record.message, record.level == "info" ? "" : style.bold)
        for field in record.fields { line.add("  \(field.key)=\(LogfmtLine.value(field.value.flat))", style.dim) }
        return line.rendered
    }
}

/// A record as one JSON object; every field is a string, a list or an object.
enum JSONLine {
    static func line(_ record: LogRecord) -> String {
        var entries = [
            "\"ts\":\"\(record.time.text)\"", "\"level\":\"\(record.level)\"", "\"process\":\(quotedForLogs(record.process))",
            "\"pid\":\(record.pid)",
        ]
        if let run = record.run { entries.append("\"run\":\(quotedForLogs(run))") }
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
