/// What kind of event a contract event is (`ContractEventType`).
public enum ContractEventType: Int32, Sendable {
    /// Made by the network itself.
    case system = 0
    /// Made by a contract; the only kind that counts for state changes.
    case contract = 1
    /// Made for debugging only.
    case diagnostic = 2
}

/// A contract event (`ContractEvent`) inside a ledger's bytes: where it is and what it holds, nothing copied.
///
/// Valid only during the callback of the reader that made it: it points into the ledger's bytes. The reader has stepped over the whole
/// event before it makes one of these, so the values in it are well-formed XDR; should a step fail all the same, a view gives nil or ends.
public struct ContractEvent {
    /// Sequence of the ledger.
    public let ledger: UInt32
    /// Close time of the ledger, Unix seconds.
    public let closeTime: UInt64
    /// Number of the transaction within the ledger, from 1, in apply order.
    public let transaction: Int
    /// Number of the operation within the transaction, from 1.
    public let operation: Int
    /// Who made the event.
    public let type: ContractEventType
    /// Version of the body; XDR knows only 0.
    public let bodyVersion: Int32
    /// The contract that made the event, where there is one.
    public let contractID: Hash32?
    /// The topics, in order.
    public let topics: SCValueList
    /// The data.
    public let data: SCValueView

    /// Takes the offsets that the reader found; all of them lie inside `bytes`.
    init(
        bytes: UnsafeRawBufferPointer, ledger: UInt32, closeTime: UInt64, transaction: Int, operation: Int, type: ContractEventType,
        contractIDOffset: Int?, bodyVersion: Int32, topicsOffset: Int, topicCount: Int, dataOffset: Int
    ) {
        self.ledger = ledger
        self.closeTime = closeTime
        self.transaction = transaction
        self.operation = operation
        self.type = type
        self.bodyVersion = bodyVersion
        if let contractIDOffset {
            contractID = Hash32(loading: bytes, at: contractIDOffset)
        } else {
            contractID = nil
        }
        topics = SCValueList(bytes: bytes, offset: topicsOffset, count: topicCount)
        data = SCValueView(bytes: bytes, offset: dataOffset)
    }
}
