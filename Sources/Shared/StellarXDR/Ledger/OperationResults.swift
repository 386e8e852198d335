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
