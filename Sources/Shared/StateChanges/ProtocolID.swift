/// The id of a contract standard that state changes are kept of, as in `protocols.id`: `SEP41`.
public struct ProtocolID: RawRepresentable, Hashable, Comparable, Codable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The id as it stands in the database.
    public let rawValue: String

    /// Any text is an id; whether a build has a processor for it is another matter.
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

/// State changes of one protocol, ready for COPY.
public struct ProtocolRows: Hashable, Sendable {
    /// The protocol.
    public let id: ProtocolID
    /// How many rows there are.
    public let rowCount: Int
    /// The rows as ``StateChangeTuple`` describes them, one after another, without the header and trailer of COPY BINARY.
    public let tuples: [UInt8]

    /// Makes rows of their parts.
    public init(id: ProtocolID, rowCount: Int, tuples: [UInt8]) {
        self.id = id
        self.rowCount = rowCount
        self.tuples = tuples
    }
}
