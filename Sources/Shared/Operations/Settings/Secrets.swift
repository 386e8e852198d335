internal import Foundation

/// What must not be shown of a value, as far as that can be seen in its text.
public enum Secrets {
    /// Whether a text holds a password or a key: in a URL before the host or among its parameters, or as `password=`.
    public static func isIn(_ text: String) -> Bool { hidden(in: text) != text }

    /// The text with `***` in place of what is secret.
    public static func hidden(in text: String) -> String {
        var shown = text
        // From the scheme to the last @ before the path. A password with a / in it, which no URL may have, goes with it.
        if let scheme = shown.range(of: "://"),
            let at = shown.range(of: "@", options: .backwards, range: scheme.upperBound..<shown.endIndex)
        {
            let credentials = shown[scheme.upperBound..<at.lowerBound]
            if !credentials.isEmpty {
                let user = credentials.prefix { $0 != ":" }
                // A user alone is no secret for a database; in front of a web server it often is the key.
                let isWeb = shown.hasPrefix("http")
                if isWeb || user.count < credentials.count {
                    shown.replaceSubrange(scheme.upperBound..<at.lowerBound, with: isWeb ? "***" : user + ":***")
                }
            }
        }
        for name in ["password", "token", "secret", "key"] {
            var from = shown.startIndex
            while let found = shown.range(of: name + "=", options: .caseInsensitive, range: from..<shown.endIndex) {
                shown.replaceSubrange(found.upperBound..<endOfValue(shown[found.upperBound...]), with: "***")
                from = shown.index(found.upperBound, offsetBy: 3)
            }
        }
        return shown
    }

    /// Behind the closing quote of libpq's key=value form, or where the next parameter begins.
    private static func endOfValue(_ rest: Substring) -> String.Index {
        if rest.first == "'" { return rest.dropFirst().firstIndex(of: "'").map { rest.index(after: $0) } ?? rest.endIndex }
        return rest.firstIndex { $0.isWhitespace || $0 == "&" } ?? rest.endIndex
    }
}
