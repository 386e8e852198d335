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
