/// The name of a protocol.
public struct ProtocolID: RawRepresentable, Hashable, Comparable, Codable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name.
    public let rawValue: String
    /// From a name.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// From a name.
    public init(stringLiteral value: String) { rawValue = value }
    /// The name.
    public var description: String { rawValue }
    /// By name.
    public static func < (left: ProtocolID, right: ProtocolID) -> Bool { left.rawValue < right.rawValue }
}
/// COPY tuples of state changes.
public enum StateChangeTuple {
    /// The columns, in order.
    public static let columns = [
        "to_id", "operation_id", "state_change_id", "state_change_category", "state_change_reason", "ledger_number", "account_id", "token_id",
        "amount", "spender_account_id", "key_value", "to_muxed_id", "ledger_created_at",
    ]
}
