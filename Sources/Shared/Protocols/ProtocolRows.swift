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
