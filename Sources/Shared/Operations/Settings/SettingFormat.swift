internal import Foundation

/// What a text must be to be the value of a setting.
public struct SettingFormat<Value: Sendable>: Sendable {
    /// What an error says of a text that is not valid: what would be.
    public struct Mismatch: Error, Hashable, Sendable {
        /// "is not ...".
        public let reason: String

        /// - Parameter reason: "is not ...".
        public init(_ reason: String) {
            self.reason = reason
        }
    }

    /// The name of the value in the help: `n`, `url`, `seconds`.
    public let placeholder: String
    /// Whether errors must not show the text.
    public let isSecret: Bool
    /// The value of a text.
    public let parse: @Sendable (String) throws(Mismatch) -> Value

    /// A format.
    public init(placeholder: String, isSecret: Bool = false, parse: @escaping @Sendable (String) throws(Mismatch) -> Value) {
        self.placeholder = placeholder
        self.isSecret = isSecret
        self.parse = parse
    }
}

extension SettingFormat where Value == Int {
    /// Decimal digits only: no sign, no spaces, no other base.
    public static func integer(in range: ClosedRange<Int>) -> Self {
        Self(placeholder: "n") { text throws(Mismatch) in
            guard isDigits(text), let value = Int(text), range.contains(value) else {
                throw Mismatch("is not a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }
}

extension SettingFormat where Value == Duration {
    /// Seconds in decimal digits, with at most one point: `5`, `0.25`.
    public static func seconds(in range: ClosedRange<Double>) -> Self {
        Self(placeholder: "seconds") { text throws(Mismatch) in
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), parts.allSatisfy({ isDigits($0) }), let value = Double(text), range.contains(value) else {
                throw Mismatch(
                    "is not a number of seconds from \(MetricsText.number(range.lowerBound)) to \(MetricsText.number(range.upperBound))")
            }
            return .seconds(value)
        }
    }
}

extension SettingFormat where Value == Duration {
    /// A duration as Go writes it, such as `5s`, `500ms`, `2m`, or a number of seconds.
    public static var goDuration: Self {
        Self(placeholder: "duration") { text throws(Mismatch) in
            for (unit, length) in [("ms", Duration.milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("", .seconds(1))]
            where text.hasSuffix(unit) {
                let number = text.dropLast(unit.count)
                if isDigits(number), let count = Int(number), count <= 86_400_000 { return length * count }
            }
            throw Mismatch("is no duration such as 5s or 500ms")
        }
    }
}

extension SettingFormat where Value == String {
    /// Any text that is not blank.
    ///
    /// - Parameter isSecret: errors do not show it, as for a URL that may hold a password.
    public static func text(placeholder: String = "text", isSecret: Bool = false) -> Self {
        Self(placeholder: placeholder, isSecret: isSecret) { text throws(Mismatch) in
            guard text.contains(where: { !$0.isWhitespace }) else { throw Mismatch("is blank") }
            return text
        }
    }
}

extension SettingFormat where Value: CaseIterable & RawRepresentable<String> {
    /// One of the cases, by its raw value.
    public static func oneOf(_: Value.Type = Value.self, placeholder: String) -> Self {
        let names = Value.allCases.map(\.rawValue)
        return Self(placeholder: placeholder) { text throws(Mismatch) in
            guard let value = Value(rawValue: text) else { throw Mismatch("is none of \(names.joined(separator: ", "))") }
            return value
        }
    }
}

private func isDigits(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
}

extension SettingFormat {
    /// Whatever a type's own initialiser accepts; its error is the reason.
    public static func parsed(
        placeholder: String, isSecret: Bool = false, _ parse: @escaping @Sendable (String) throws -> Value
    ) -> Self {
        Self(placeholder: placeholder, isSecret: isSecret) { text throws(Mismatch) in
            do { return try parse(text) } catch { throw Mismatch("\(error)") }
        }
    }
}

/// An http or https URL with a host.
public struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    /// The URL as it was given. It may hold credentials or a key in its path: not for logs.
    public let text: String
    /// Scheme, host and port only, for logs and errors: `https://rpc.example.com:443`.
    public let description: String

    /// Reads a URL; nil where it is not http or https, has no host, or is not a URL.
    public init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let host = parts.host, !host.isEmpty, parts.fragment == nil
        else { return nil }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { return nil }
        self.text = text
        description = "\(scheme)://\(host):\(port)"
    }
}

extension SettingFormat where Value == HTTPURL {
    /// An http or https URL with a host. Errors do not show it: it may hold credentials.
    public static var httpURL: Self {
        Self(placeholder: "url", isSecret: true) { text throws(Mismatch) in
            guard let url = HTTPURL(text) else {
                throw Mismatch("is not a URL of the form http://host:port/path or https://host:port/path")
            }
            return url
        }
    }
}

/// Identifiers after one flag, the flag repeated, or comma-separated.
public enum IdentifierList {
    /// De-duplicates, and keeps the order.
    ///
    /// - Parameters:
    ///   - texts: what the flag was given, in order.
    ///   - flag: without its dashes, for the error.
    /// - Throws: `UsageError` where there is none, or one has other characters than A-Z, 0-9 and `_`.
    public static func parse(_ texts: [String], flag: String) throws(UsageError) -> [String] {
        var identifiers: [String] = []
        for text in texts {
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard !part.isEmpty, part.utf8.allSatisfy(isAllowed) else {
                    throw UsageError(
                        "--\(flag) \(quotedForLogs(text)): \(quotedForLogs(String(part))) is not an identifier of A-Z, 0-9 and _, such as SEP41"
                    )
                }
                if !identifiers.contains(String(part)) { identifiers.append(String(part)) }
            }
        }
        guard !identifiers.isEmpty else { throw UsageError("--\(flag) is required: one or more identifiers, such as SEP41") }
        return identifiers
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, UInt8(ascii: "_"): true
        default: false
        }
    }
}
