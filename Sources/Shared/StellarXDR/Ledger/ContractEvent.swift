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
public struct ContractEvent: ~Escapable {
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
    @_lifetime(copy bytes)
    init(
        bytes: RawSpan, ledger: UInt32, closeTime: UInt64, transaction: Int, operation: Int, type: ContractEventType,
        contractIDOffset: Int?, bodyVersion: Int32, topicsOffset: Int, topicCount: Int, dataOffset: Int
    ) {
        self.ledger = ledger
        self.closeTime = closeTime
        self.transaction = transaction
        self.operation = operation
        self.type = type
        self.bodyVersion = bodyVersion
        if let contractIDOffset {
            contractID = Hash32(bytes, at: contractIDOffset)
        } else {
            contractID = nil
        }
        topics = SCValueList(bytes: bytes, offset: topicsOffset, count: topicCount)
        data = SCValueView(bytes: bytes, offset: dataOffset)
    }
}

/// Walks contract events (XDR `ContractEvent`) of one operation that counts, and notes where their parts lie.
struct ContractEventReader {
    /// Bytes of the smallest `ContractEvent`: ext, no contract id, type, body version, no topics, a void value.
    static let leastSize = 24

    let b: XDRBytes
    let ledger: UInt32
    let closeTime: UInt64
    let transaction: Int
    let operation: Int

    /// Checks the event at `start`, hands it over and gives the offset behind it.
    func read(_ start: Int, _ onEvent: (ContractEvent) -> Void) throws(XDRError) -> Int {
        try b.require(start, 8, "ContractEvent.ext")
        try b.checkExtensionPoint(start)
        let hasContractID = try b.flag(start &+ 4, "ContractEvent.contractID")
        let contractID = start &+ 8
        // The id, if any, and type, body version and number of topics.
        try b.require(contractID, hasContractID ? 44 : 12, "ContractEvent.contractID")
        var at = hasContractID ? contractID &+ 32 : contractID

        guard let type = ContractEventType(rawValue: b.int32(at)) else { throw .badEnumValue(b.int32(at), at, "ContractEvent.type") }
        try b.checkDiscriminant(at &+ 4, 0, "ContractEvent.body.v")
        let topicCount = try b.count(at &+ 8, elementSize: 4, "ContractEvent.body.v0.topics")
        at &+= 12
        let topics = at
        for _ in 0..<topicCount {
            at = try XDRSkip.scVal(b, at, XDRSkip.depthLimit)
        }
        let data = at
        at = try XDRSkip.scVal(b, at, XDRSkip.depthLimit)
        onEvent(
            ContractEvent(
                bytes: b.span, ledger: ledger, closeTime: closeTime, transaction: transaction, operation: operation, type: type,
                contractIDOffset: hasContractID ? contractID : nil, bodyVersion: 0, topicsOffset: topics, topicCount: Int(topicCount),
                dataOffset: data))
        return at
    }
}
