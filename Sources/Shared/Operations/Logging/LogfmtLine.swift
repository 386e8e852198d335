/// A record as `key=value` pairs; values in quotes where a space, a quote, an equals sign or an escape needs them.
enum LogfmtLine {
    static func line(_ record: LogRecord) -> String {
        var line = "ts=\(record.time.text) level=\(record.level) process=\(value(record.process)) pid=\(record.pid)"
        if let logger = record.logger { line += " logger=\(value(logger))" }
        line += " msg=\(quotedForLogs(record.message))"
        for field in record.fields { line += " \(field.key)=\(value(field.value.flat))" }
        return line
    }

    private static func value(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                scalar != " " && scalar != "\"" && scalar != "=" && scalar != "\\" && !scalar.mustBeEscapedInLogs
            }
        return isPlain ? text : quotedForLogs(text)
    }
}
