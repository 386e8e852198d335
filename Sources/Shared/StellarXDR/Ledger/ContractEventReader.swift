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
        try XDRSkip.checkExtensionPoint(b, start)
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
                bytes: b.buffer, ledger: ledger, closeTime: closeTime, transaction: transaction, operation: operation, type: type,
                contractIDOffset: hasContractID ? contractID : nil, bodyVersion: 0, topicsOffset: topics, topicCount: Int(topicCount),
                dataOffset: data))
        return at
    }
}
