/// What a transaction's only kind of operation is.
enum OperationKind {
    case invocation
    case payment
}

/// Encoders of transaction results and of the parts that transaction metas share.
extension XDRWriter {
    /// `TransactionResultPair` of a transaction with `operations` operations of one kind.
    mutating func resultPair(_ hash: Bytes32, _ kind: OperationKind, operations: Int, succeeds: Bool, feeBump: Bool) {
        fixed(hash)
        int64(100)  // feeCharged
        if feeBump {
            int32(succeeds ? 1 : -13)  // txFEE_BUMP_INNER_SUCCESS, txFEE_BUMP_INNER_FAILED
            fixed(hash)
            int64(100)
        }
        int32(succeeds ? 0 : -1)  // txSUCCESS, txFAILED
        count(operations)
        for _ in 0..<operations { operationResult(kind) }
        if feeBump { uint32(0) }  // InnerTransactionResult.ext
        uint32(0)
    }

    /// `OperationResult`: opINNER and success.
    private mutating func operationResult(_ kind: OperationKind) {
        int32(0)
        switch kind {
        case .invocation:
            int32(24)  // INVOKE_HOST_FUNCTION
            int32(0)
            fixed(Bytes32(0, 1, 2, 3))
        case .payment:
            int32(1)  // PAYMENT
            int32(0)
        }
    }

    /// `SorobanTransactionMetaExt` with the fees charged.
    mutating func sorobanFees() {
        uint32(1)
        uint32(0)
        int64(51_234)
        int64(9_876)
        int64(1_200)
    }
}
