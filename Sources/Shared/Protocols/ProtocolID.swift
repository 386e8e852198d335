/// The id of a contract standard that state changes are kept of, as in `protocols.id`: `SEP41`.
public struct ProtocolID: RawRepresentable, Hashable, Comparable, Codable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The id as it stands in the database.
    public let rawValue: String

    /// Any text is an id; whether this build has a processor for it says ``ProtocolRegistry``.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// An id written in the source.
    public init(stringLiteral value: String) { rawValue = value }

    /// The id as it stands in the database.
    public var description: String { rawValue }

    /// Key of the protocol's history cursor in `ingest_store`.
    public var historyCursorKey: String { "protocol_\(rawValue)_history_cursor" }

    /// Orders as text.
    public static func < (left: ProtocolID, right: ProtocolID) -> Bool { left.rawValue < right.rawValue }
}
