/// The numbers by which `state_changes` names a transaction and an operation (a TOID, SEP-35): 32 bits of ledger sequence, 20 bits of
/// transaction, 12 bits of operation, both counted from 1 in apply order.
public enum OperationID {
    /// The highest number of a transaction within a ledger that fits its 20 bits.
    public static let maxTransaction = (1 << 20) - 1
    /// The highest number of an operation within a transaction that fits its 12 bits.
    public static let maxOperation = (1 << 12) - 1
    /// The highest ledger sequence whose ids are positive in a signed 64-bit column.
    public static let maxLedger: UInt32 = (1 << 31) - 1

    /// `to_id`: ledger << 32 | transaction << 12; nil where a number does not fit its bits. Nothing ever wraps.
    @inlinable
    public static func toID(ledger: UInt32, transaction: Int) -> Int64? {
        guard ledger <= maxLedger, transaction >= 0, transaction <= maxTransaction else { return nil }
        return Int64(ledger) << 32 | Int64(transaction) << 12
    }

    /// `operation_id`: ``toID(ledger:transaction:)`` | operation; nil where a number does not fit its bits.
    @inlinable
    public static func operationID(ledger: UInt32, transaction: Int, operation: Int) -> Int64? {
        guard operation >= 0, operation <= maxOperation, let toID = toID(ledger: ledger, transaction: transaction) else { return nil }
        return toID | Int64(operation)
    }
}
