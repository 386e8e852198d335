/// Makes the transactions of the ballast.
struct BallastMaker {
    let version: LedgerVersion
    let cast: Cast
    var random: SplitMix64

    /// A `TransactionEnvelope` (ENVELOPE_TYPE_TX) with one operation and one signature.
    mutating func envelope(_ kind: OperationKind, into out: inout XDRWriter) {
        let source = cast.account(&random)
        out.uint32(2)
        out.uint32(0)  // KEY_TYPE_ED25519
        out.fixed(source)
        out.uint32(100)
        out.int64(Int64(random.below(1 << 50)))
        out.uint32(1)  // PRECOND_TIME
        out.uint64(0)
        out.uint64(1_781_828_500)
        out.uint32(0)  // MEMO_NONE
        out.count(1)
        out.bool(false)
        switch kind {
        case .payment:
            out.uint32(1)
            out.uint32(0)
            out.fixed(cast.account(&random))
            out.uint32(0)  // ASSET_TYPE_NATIVE
            out.int64(Int64(random.below(1 << 40)))
            out.uint32(0)
        case .invocation:
            invocation(by: source, into: &out)
        }
        out.count(1)
        out.uint32(random.uint32())  // hint
        out.count(64)
        out.fixed(random.bytes32())
        out.fixed(random.bytes32())
    }

    /// INVOKE_HOST_FUNCTION of a transfer, and the `SorobanTransactionData` after it.
    private mutating func invocation(by source: Bytes32, into out: inout XDRWriter) {
        let contract = random.element(of: cast.untracked)
        let payee = cast.account(&random)
        out.uint32(24)
        out.uint32(0)  // HOST_FUNCTION_TYPE_INVOKE_CONTRACT
        out.scAddress(.contract(contract))
        out.string("transfer")
        out.count(3)
        out.address(.account(source))
        out.address(.account(payee))
        out.i128(Int128(random.below(1 << 50)))
        out.count(0)  // auth
        out.uint32(1)  // SorobanTransactionData
        out.uint32(0)
        out.count(0)  // readOnly
        out.count(2)  // readWrite
        for owner in [source, payee] {
            out.uint32(6)  // CONTRACT_DATA
            out.balanceKey(contract, owner)
        }
        out.uint32(2_000_000)
        out.uint32(0)
        out.uint32(1_000)
        out.int64(61_110)
    }

    /// An element of `txProcessing`: `TransactionResultMeta` or `TransactionResultMetaV1`.
    mutating func transaction(_ kind: OperationKind, into out: inout XDRWriter) {
        let source = cast.account(&random)
        let payee = cast.account(&random)
        let balance = Int64(random.below(1 << 45))
        if version == .v2 { out.uint32(0) }
        out.resultPair(random.bytes32(), kind, operations: 1, succeeds: true, feeBump: false)
        out.accountChanges(source, balance: balance)
        switch version {
        case .v1: metaV3(kind, source, payee, balance, into: &out)
        case .v2: metaV4(kind, source, payee, balance, into: &out)
        }
        guard version == .v2 else { return }
        if kind == .invocation { out.accountChanges(source, balance: balance) } else { out.count(0) }
    }

    private mutating func metaV3(_ kind: OperationKind, _ source: Bytes32, _ payee: Bytes32, _ balance: Int64, into out: inout XDRWriter) {
        let contract = random.element(of: cast.untracked)
        out.uint32(3)
        out.uint32(0)
        out.accountChanges(source, balance: balance)
        out.count(1)
        changes(kind, contract, source, payee, balance, into: &out)
        out.count(0)
        out.bool(kind == .invocation)
        guard kind == .invocation else { return }
        out.sorobanFees()
        out.count(1)
        out.raw(event(contract, source, payee, balance))
        out.void()
        out.count(0)
    }

    private mutating func metaV4(_ kind: OperationKind, _ source: Bytes32, _ payee: Bytes32, _ balance: Int64, into out: inout XDRWriter) {
        let contract = random.element(of: cast.untracked)
        let event = event(contract, source, payee, balance)
        out.uint32(4)
        out.uint32(0)
        out.accountChanges(source, balance: balance)
        out.count(1)
        out.uint32(0)
        changes(kind, contract, source, payee, balance, into: &out)
        out.count(1)
        out.raw(event)
        out.count(0)
        out.bool(kind == .invocation)
        if kind == .invocation {
            out.sorobanFees()
            out.bool(true)
            out.void()
        }
        out.count(2)  // fee events, before all transactions and after this one
        for stage: UInt32 in [0, 1] {
            out.uint32(stage)
            out.raw(event)
        }
        out.count(kind == .invocation ? 1 : 0)  // diagnosticEvents
        if kind == .invocation {
            out.bool(true)
            out.raw(event)
        }
    }

    private func changes(
        _ kind: OperationKind, _ contract: Bytes32, _ source: Bytes32, _ payee: Bytes32, _ balance: Int64, into out: inout XDRWriter
    ) {
        switch kind {
        case .payment: out.paymentChanges(from: source, to: payee, balance: balance)
        case .invocation: out.contractDataChanges(contract, owners: [source, payee], amount: Int128(balance))
        }
    }

    /// A transfer as asset contracts tell it: four topics.
    private func event(_ contract: Bytes32, _ from: Bytes32, _ to: Bytes32, _ amount: Int64) -> [UInt8] {
        var maker = EventMaker(random: random, cast: cast, rareAddresses: false, sink: RowSink(wanted: false))
        maker.head(of: contract, topics: 4)
        maker.out.symbol("transfer")
        maker.out.address(.account(from))
        maker.out.address(.account(to))
        maker.out.text("native")
        maker.out.i128(Int128(amount))
        return maker.out.bytes
    }
}
