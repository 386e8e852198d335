/// Reads one element of a ledger's `txProcessing`: XDR `TransactionResultMeta` (in LedgerCloseMeta V0 and V1) or `TransactionResultMetaV1`
/// (in V2).
struct TransactionReader {
    /// Bytes of the smallest `TransactionResultMeta`: a hash, a result without operations (16), no fee changes (4), a meta V0 without
    /// operations (8).
    static let leastSize = 60

    let b: XDRBytes
    let ledger: UInt32
    let closeTime: UInt64
    let number: Int
    let hasExtensions: Bool
    var eventCount = 0

    /// Walks the transaction at `start` and gives the offset behind it.
    mutating func read(_ start: Int, _ onEvent: (ContractEvent) -> Void) throws(XDRError) -> Int {
        var at = start
        if hasExtensions {
            try b.require(at, 4, "TransactionResultMetaV1.ext")
            try b.checkExtensionPoint(at)
            at &+= 4
        }
        try b.require(at, 32, "TransactionResultPair.transactionHash")
        let result = at &+ 32
        at = try XDRSkip.transactionResult(b, result)
        at = try XDRSkip.ledgerEntryChanges(b, at, XDRSkip.depthLimit)
        at = try meta(at, OperationResults(b, transactionResult: result), onEvent)
        if hasExtensions {
            at = try XDRSkip.ledgerEntryChanges(b, at, XDRSkip.depthLimit)
        }
        return at
    }

    /// TransactionMeta
    private mutating func meta(_ start: Int, _ results: OperationResults, _ onEvent: (ContractEvent) -> Void) throws(XDRError) -> Int {
        try b.require(start, 4, "TransactionMeta.v")
        let at = start &+ 4
        switch b.int32(start) {
        case 0: return try operationMetas(at, "TransactionMeta.operations")
        case 1: return try XDRSkip.transactionMetaV1(b, at, XDRSkip.depthLimit)
        case 2: return try XDRSkip.transactionMetaV2(b, at, XDRSkip.depthLimit)
        case 3: return try metaV3(at, results, onEvent)
        case 4: return try metaV4(at, results, onEvent)
        default: throw XDRError(.unsupportedVersion(b.int32(start)), start, "TransactionMeta.v")
        }
    }

    /// TransactionMetaV3: the events of the only operation that a Soroban transaction has are in `sorobanMeta`.
    private mutating func metaV3(_ start: Int, _ results: OperationResults, _ onEvent: (ContractEvent) -> Void) throws(XDRError) -> Int {
        try b.require(start, 4, "TransactionMetaV3.ext")
        try b.checkExtensionPoint(start)
        var at = try XDRSkip.ledgerEntryChanges(b, start &+ 4, XDRSkip.depthLimit)
        at = try operationMetas(at, "TransactionMetaV3.operations")
        at = try XDRSkip.ledgerEntryChanges(b, at, XDRSkip.depthLimit)

        try b.require(at, 4, "TransactionMetaV3.sorobanMeta")
        let hasSorobanMeta = try b.flag(at, "TransactionMetaV3.sorobanMeta")
        at &+= 4
        guard hasSorobanMeta else { return at }
        at = try XDRSkip.sorobanTransactionMetaExt(b, at)
        var results = results
        at = try contractEvents(at, operation: 1, counted: results.nextIsInvocation(), onEvent)
        at = try XDRSkip.scVal(b, at, XDRSkip.depthLimit)
        return try diagnosticEvents(at, "SorobanTransactionMeta.diagnosticEvents")
    }

    /// TransactionMetaV4: each operation has its events. The events of the transaction itself (fees) are no operation's.
    private mutating func metaV4(_ start: Int, _ results: OperationResults, _ onEvent: (ContractEvent) -> Void) throws(XDRError) -> Int {
        try b.require(start, 4, "TransactionMetaV4.ext")
        try b.checkExtensionPoint(start)
        var at = try XDRSkip.ledgerEntryChanges(b, start &+ 4, XDRSkip.depthLimit)

        try b.require(at, 4, "TransactionMetaV4.operations")
        let operationCount = try b.count(at, elementSize: 12, "TransactionMetaV4.operations")
        at &+= 4
        var results = results
        for index in 0..<Int(operationCount) {
            try b.require(at, 4, "OperationMetaV2.ext")
            try b.checkExtensionPoint(at)
            at = try XDRSkip.ledgerEntryChanges(b, at &+ 4, XDRSkip.depthLimit)
            at = try contractEvents(at, operation: index &+ 1, counted: results.nextIsInvocation(), onEvent)
        }
        at = try XDRSkip.ledgerEntryChanges(b, at, XDRSkip.depthLimit)

        try b.require(at, 4, "TransactionMetaV4.sorobanMeta")
        let hasSorobanMeta = try b.flag(at, "TransactionMetaV4.sorobanMeta")
        at &+= 4
        if hasSorobanMeta {
            at = try XDRSkip.sorobanTransactionMetaV2(b, at, XDRSkip.depthLimit)
        }

        try b.require(at, 4, "TransactionMetaV4.events")
        let eventCount = try b.count(at, elementSize: 4 &+ ContractEventReader.leastSize, "TransactionMetaV4.events")
        at &+= 4
        for _ in 0..<eventCount {
            at = try XDRSkip.transactionEvent(b, at, XDRSkip.depthLimit)
        }
        return try diagnosticEvents(at, "TransactionMetaV4.diagnosticEvents")
    }

    /// OperationMeta operations<>
    private func operationMetas(_ start: Int, _ field: StaticString) throws(XDRError) -> Int {
        try b.require(start, 4, field)
        let count = try b.count(start, elementSize: 4, field)
        var at = start &+ 4
        for _ in 0..<count {
            at = try XDRSkip.operationMeta(b, at, XDRSkip.depthLimit)
        }
        return at
    }

    /// DiagnosticEvent diagnosticEvents<>
    private func diagnosticEvents(_ start: Int, _ field: StaticString) throws(XDRError) -> Int {
        try b.require(start, 4, field)
        let count = try b.count(start, elementSize: 4 &+ ContractEventReader.leastSize, field)
        var at = start &+ 4
        for _ in 0..<count {
            at = try XDRSkip.diagnosticEvent(b, at, XDRSkip.depthLimit)
        }
        return at
    }

    /// ContractEvent events<> of one operation.
    private mutating func contractEvents(
        _ start: Int, operation: Int, counted: Bool, _ onEvent: (ContractEvent) -> Void
    ) throws(XDRError) -> Int {
        try b.require(start, 4, "OperationMetaV2.events")
        let count = try b.count(start, elementSize: ContractEventReader.leastSize, "OperationMetaV2.events")
        var at = start &+ 4
        guard counted else {
            for _ in 0..<count {
                at = try XDRSkip.contractEvent(b, at, XDRSkip.depthLimit)
            }
            return at
        }
        let reader = ContractEventReader(b: b, ledger: ledger, closeTime: closeTime, transaction: number, operation: operation)
        for _ in 0..<count {
            at = try reader.read(at, onEvent)
            eventCount &+= 1
        }
        return at
    }
}

/// Tells, operation by operation, which ones succeeded as `INVOKE_HOST_FUNCTION` in a successful transaction.
///
/// It walks the bytes of a result that has been checked before a second time, in step with the operations of the meta, and so needs no
/// memory for what it found.
struct OperationResults {
    private let b: XDRBytes
    private var at: Int
    private var remaining: UInt32

    /// - Parameter start: the `TransactionResult`, already checked: int64 feeCharged, code, then OperationResult results<> or, in a fee
    ///   bump, { hash 32, int64 feeCharged, code, OperationResult results<> }.
    init(_ b: XDRBytes, transactionResult start: Int) {
        self.b = b
        switch b.int32(start &+ 8) {
        case Code.success:
            at = start &+ 12
        case Code.feeBumpInnerSuccess where b.int32(start &+ 52) == Code.success:
            at = start &+ 56
        default:
            at = start
            remaining = 0
            return
        }
        remaining = b.uint32(at)
        at &+= 4
    }

    /// Whether the next operation counts. False for all that have no result.
    mutating func nextIsInvocation() throws(XDRError) -> Bool {
        guard remaining > 0 else { return false }
        remaining &-= 1
        let start = at
        at = try XDRSkip.operationResult(b, start)
        return b.int32(start) == Code.operationInner && b.int32(start &+ 4) == Code.invokeHostFunction
    }

    private enum Code {
        /// TransactionResultCode.txSUCCESS
        static let success: Int32 = 0
        /// TransactionResultCode.txFEE_BUMP_INNER_SUCCESS
        static let feeBumpInnerSuccess: Int32 = 1
        /// OperationResultCode.opINNER
        static let operationInner: Int32 = 0
        /// OperationType.INVOKE_HOST_FUNCTION
        static let invokeHostFunction: Int32 = 24
    }
}
