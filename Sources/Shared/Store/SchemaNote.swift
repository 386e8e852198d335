public import Logging

/// One way in which `state_changes` is kept otherwise than the contract says, that costs time but breaks nothing.
public enum SchemaNote: Sendable, Hashable, CustomStringConvertible {
    /// The primary key has the right columns in another order.
    case otherKeyOrder(expected: String, found: String)
    /// The index is missing.
    case missingIndex(name: String, keys: String)
    /// An index that neither this program nor wallet-backend makes there.
    case additionalIndex(name: String, keys: String)

    /// What differs, and what it costs.
    public var description: String {
        switch self {
        case .otherKeyOrder(let expected, let found):
            "its primary key is (\(found)) instead of (\(expected)): as safe, but what reads a span of time has no index"
        case .missingIndex(let name, let keys):
            "index (\(keys)) is missing (\(name)): writing is faster without it, but what reads by \(Self.first(keys)) reads whole days of rows"
        case .additionalIndex(let name, let keys):
            "index \(name) (\(keys)) is additional: every row written costs about a quarter more, and disk space"
        }
    }

    private static func first(_ keys: String) -> Substring { keys.prefix { $0 != "," } }
}

extension [SchemaNote] {
    /// One warning with all of them; none where there are none.
    public func log(to logger: Logger) {
        guard !isEmpty else { return }
        logger.warning(
            "table state_changes is not kept as expected: nothing breaks, but it costs time",
            metadata: ["differences": "\(map(\.description).joined(separator: "; "))"])
    }
}
