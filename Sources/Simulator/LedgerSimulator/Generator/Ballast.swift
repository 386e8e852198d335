/// What fills ledgers up to their size, and is the same in many of them: the transaction set and transactions nobody follows.
///
/// Half of it are payments, half invocations of untracked contracts, in the proportions of public ledgers: a fifth of the bytes are
/// envelopes, the rest results and metas.
struct Ballast: Sendable {
    /// `GeneralizedTransactionSet` from its phases on.
    let transactionSet: SharedBlock
    /// Elements of `txProcessing` before those with events.
    let leading: SharedBlock
    let leadingCount: Int
    /// Elements of `txProcessing` after those with events, and the end of the `LedgerCloseMeta`.
    let trailing: SharedBlock
    let trailingCount: Int

    /// - Parameter size: bytes wanted, about.
    init(_ version: LedgerVersion, size: Int, _ cast: Cast, seed: UInt64) {
        var maker = BallastMaker(version: version, cast: cast, random: SplitMix64(seed: seed, 0x6261_6C6C, UInt64(size)))
        var envelopes = XDRWriter(capacity: size / 3)
        var leading = XDRWriter(capacity: size / 2)
        var trailing = XDRWriter(capacity: size)
        var leadingCount = 0
        var count = 0
        while envelopes.bytes.count + leading.bytes.count + trailing.bytes.count < size {
            let kind: OperationKind = count.isMultiple(of: 2) ? .invocation : .payment
            maker.envelope(kind, into: &envelopes)
            if leading.bytes.count < size / 4 {
                maker.transaction(kind, into: &leading)
                leadingCount += 1
            } else {
                maker.transaction(kind, into: &trailing)
            }
            count += 1
        }
        transactionSet = SharedBlock(Self.phases(envelopes.bytes, count))
        self.leading = SharedBlock(leading.bytes)
        self.leadingCount = leadingCount
        trailingCount = count - leadingCount
        trailing.count(0)  // upgradesProcessing
        trailing.count(0)  // scpInfo
        trailing.uint64(7_654_321)  // totalByteSizeOfLiveSorobanState
        trailing.count(0)  // evictedKeys
        if version == .v1 { trailing.count(0) }  // unused
        self.trailing = SharedBlock(trailing.bytes)
    }

    /// Two phases, the second without transactions.
    private static func phases(_ envelopes: [UInt8], _ count: Int) -> [UInt8] {
        var out = XDRWriter(capacity: envelopes.count + 64)
        out.count(2)
        out.uint32(0)  // v0Components
        out.count(1)
        out.uint32(0)  // TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE
        out.bool(true)
        out.int64(100)
        out.count(count)
        out.raw(envelopes)
        out.uint32(0)
        out.count(0)
        return out.bytes
    }
}
