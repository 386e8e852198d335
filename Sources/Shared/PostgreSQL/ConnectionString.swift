internal import CLibPQ

/// Where a database is and how to log in: a libpq URL (`postgresql://user:secret@host/db`) or key=value string.
///
/// Its description never shows a password: it is put together again from the parts that libpq read, without the secret ones.
public struct ConnectionString: Sendable, Hashable, CustomStringConvertible {
    /// The text as it was given, secrets included: for libpq alone.
    let text: String
    /// Options that libpq read from the text (not those of environment variables), secrets included.
    let options: [String: String]
    /// The connection in words fit for messages and logs: every password replaced by `***`.
    public let redacted: String

    /// Equal to `redacted`, so that an interpolated connection string cannot give a password away.
    public var description: String { redacted }

    /// The name of the database, where the text gives one.
    public var databaseName: String? { options["dbname"] }

    /// Reads a libpq URL or key=value string.
    ///
    /// Throws `PostgresError` of kind `invalidConnectionString`; its message never repeats the text, which may hold a password in an unexpected place.
    public init(_ text: String) throws(PostgresError) {
        self.text = text
        let entries = try Self.parse(text)
        options = Dictionary(entries.map { ($0.keyword, $0.value) }, uniquingKeysWith: { $1 })
        try Self.refuseMisreadURL(text, options)
        redacted = Self.redact(entries, asURL: Self.urlBody(of: text) != nil)
    }

    /// The same connection to another database of the same server.
    public func withDatabase(_ name: String) throws(PostgresError) -> ConnectionString {
        var options = options
        options["dbname"] = name
        return try ConnectionString(Self.keyValueText(options.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
    }

    private struct Entry {
        let keyword: String
        let value: String
        let isSecret: Bool
    }

    private static func parse(_ text: String) throws(PostgresError) -> [Entry] {
        guard !text.utf8.contains(0) else { throw .invalidConnectionString("it holds a NUL character") }
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = unsafe PQconninfoParse(text, &message) else {
            let complaint = unsafe message.map { unsafe String(cString: $0) } ?? "out of memory"
            unsafe PQfreemem(message)
            throw .invalidConnectionString(withoutQuotedParts(complaint))
        }
        defer { unsafe PQconninfoFree(parsed) }
        var entries: [Entry] = []
        var option = unsafe parsed
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                let keyword = unsafe String(cString: keyword)
                // libpq marks with "*" what must not be displayed.
                let marked = unsafe option.pointee.dispchar.map { unsafe String(cString: $0) == "*" } ?? false
                unsafe entries.append(
                    Entry(keyword: keyword, value: String(cString: value), isSecret: marked || keyword.hasSuffix("password")))
            }
            unsafe option += 1
        }
        return entries
    }

    /// libpq quotes the place that it stumbled over, which may be a piece of the password: everything from the first quoted user text is cut.
    private static func withoutQuotedParts(_ complaint: String) -> String {
        let known = [
            ("missing \"=\" after", "an \"=\" is missing after a keyword (a value with spaces must stand in single quotes)"),
            ("unterminated quoted string", "a quoted value is not closed"),
            ("invalid connection option", "it has an option that libpq does not know (a value with spaces must stand in single quotes)"),
            ("invalid URI query parameter", "its URL has a query parameter that libpq does not know"),
            ("invalid percent-encoded token", "its URL has an invalid percent-encoding"),
            ("forbidden value %00", "its URL holds %00"),
        ]
        for (start, words) in known where complaint.hasPrefix(start) { return words }
        return "libpq cannot read it as a URL (postgresql://user@host/database) or as key=value pairs"
    }

    /// A `/` or `@` that is not percent-encoded in a URL's password shifts all that follows into host, port or database name, and from there into
    /// messages. Such a URL is refused.
    private static func refuseMisreadURL(_ text: String, _ options: [String: String]) throws(PostgresError) {
        let ports = (options["port"] ?? "").split(separator: ",")
        let portsAreNumbers = ports.allSatisfy { UInt16($0) != nil }
        var misread = !portsAreNumbers
        if let body = urlBody(of: text) {
            let beforeQuery = body.prefix { $0 != "?" }
            let authority = body.prefix { $0 != "/" }
            misread = misread || authority.count(where: { $0 == "@" }) > 1 || (beforeQuery.contains("@") && !authority.contains("@"))
            misread = misread || body.dropFirst(authority.count).prefix { $0 != "?" }.contains("@")
        }
        guard !misread else {
            throw .invalidConnectionString(
                "its port is not a number, or a '/' or '@' inside the password is not percent-encoded (%2F, %40)")
        }
    }

    private static func urlBody(of text: String) -> Substring? {
        for scheme in ["postgresql://", "postgres://"] where text.hasPrefix(scheme) { return text.dropFirst(scheme.count) }
        return nil
    }

    private static func redact(_ entries: [Entry], asURL: Bool) -> String {
        let shown = entries.map { ($0.keyword, $0.isSecret ? "***" : $0.value) }
        guard asURL else { return keyValueText(shown) }
        var parts = Dictionary(shown, uniquingKeysWith: { $1 })
        let user = parts.removeValue(forKey: "user")
        let password = parts.removeValue(forKey: "password").map { ":" + $0 } ?? ""
        let credentials = user.map { $0 + password + "@" } ?? (password.isEmpty ? "" : password + "@")
        let hosts = (parts.removeValue(forKey: "host") ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let ports = (parts.removeValue(forKey: "port") ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let places = hosts.enumerated().map { index, host in
            let port = ports.count == 1 ? ports[0] : (index < ports.count ? ports[index] : "")
            return port.isEmpty ? String(host) : "\(host):\(port)"
        }
        let database = parts.removeValue(forKey: "dbname").map { "/" + $0 } ?? ""
        let query = parts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
        return "postgresql://" + credentials + places.joined(separator: ",") + database + (query.isEmpty ? "" : "?" + query)
    }

    /// libpq's key=value form: values in single quotes where they are empty or hold a space, a quote or a backslash.
    static func keyValueText(_ pairs: [(String, String)]) -> String {
        pairs.map { key, value in
            guard value.isEmpty || value.contains(where: { $0.isWhitespace || $0 == "'" || $0 == "\\" }) else { return "\(key)=\(value)" }
            var quoted = ""
            for character in value {
                if character == "'" || character == "\\" { quoted.append("\\") }
                quoted.append(character)
            }
            return "\(key)='\(quoted)'"
        }.joined(separator: " ")
    }
}
