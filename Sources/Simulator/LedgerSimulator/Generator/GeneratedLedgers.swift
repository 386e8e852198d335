/// Ledgers made from a plan, each on its own when it is asked for.
struct GeneratedLedgers: LedgerSupply {
    let available: ClosedRange<UInt32>
    /// The contracts whose events the ledgers hold.
    let cast: Cast
    private let plan: LedgerPlan
    private let chain: HeaderChain
    /// By the plan's stage. Ledgers take turns at these, at random: both versions, three sizes.
    private let variants: [[(version: LedgerVersion, ballast: Ballast)]]

    init(_ plan: LedgerPlan) {
        self.plan = plan
        let cast = Cast(seed: plan.seed)
        self.cast = cast
        available = plan.first...LedgerNumbers.last
        variants = plan.stages.map { stage in
            let eventBytes = Self.eventBytes(plan, stage, cast)
            return [(LedgerVersion.v1, 10), (.v2, 9), (.v1, 11), (.v2, 10)].map { version, tenths in
                (version, Ballast(version, size: max(0, stage.ledgerBytes * tenths / 10 - eventBytes), cast, seed: plan.seed))
            }
        }
        var random = SplitMix64(seed: plan.seed, 0x616E_6368)
        chain = HeaderChain(first: plan.first, anchor: random.bytes32()) { sequence, previous in
            var out = XDRWriter(capacity: 512)
            Self.header(plan, sequence, previous, into: &out)
            return out.bytes
        }
    }

    func closeTime(of sequence: UInt32) -> UInt64 { plan.closeTime(of: sequence) }

    func prepare(through last: UInt32) { _ = chain.link(last) }

    func ledger(_ sequence: UInt32) -> SimulatedLedger {
        let variant = variants[plan.stage(of: sequence)][Self.variant(plan, sequence)]
        let link = chain.link(sequence)
        var head = XDRWriter(capacity: 512)
        head.uint32(variant.version.rawValue)
        head.uint32(0)
        let entryStart = head.bytes.count
        head.fixed(link.hash)
        let headerStart = head.bytes.count
        let fields = Self.header(plan, sequence, link.previous, into: &head)
        let headerEnd = head.bytes.count
        head.uint32(0)
        let layout = HeaderLayout(
            entry: entryStart..<head.bytes.count, header: headerStart..<headerEnd, closeTime: fields.closeTime, sequence: fields.sequence)

        var transactions = TransactionMaker(plan, cast, sequence, variant.version, wantsRows: false)
        transactions.makeAll(before: variant.ballast.leadingCount)
        var setHead = XDRWriter(capacity: 64)
        setHead.uint32(1)
        setHead.fixed(link.previous)
        var processingHead = XDRWriter(capacity: 4)
        processingHead.count(variant.ballast.leadingCount + transactions.count + variant.ballast.trailingCount)
        return SimulatedLedger(
            sequence: sequence, closeTime: plan.closeTime(of: sequence), protocolVersion: variant.version.protocolVersion,
            head: head.bytes, layout: layout,
            rest: [
                .own(setHead.bytes), .shared(variant.ballast.transactionSet), .own(processingHead.bytes), .shared(variant.ballast.leading),
                .own(transactions.out.bytes), .shared(variant.ballast.trailing),
            ])
    }

    /// The rows that a ledger must give, as lines of expected.jsonl in the order of their ids.
    func expectedRows(of sequence: UInt32) -> [String] {
        let variant = variants[plan.stage(of: sequence)][Self.variant(plan, sequence)]
        var transactions = TransactionMaker(plan, cast, sequence, variant.version, wantsRows: true)
        transactions.makeAll(before: variant.ballast.leadingCount)
        return transactions.lines
    }

    private static func variant(_ plan: LedgerPlan, _ sequence: UInt32) -> Int {
        var random = SplitMix64(seed: plan.seed, 0x7661_7269, UInt64(sequence))
        return random.below(4)
    }

    /// Writes the `LedgerHeader` and tells where two of its fields are.
    @discardableResult
    private static func header(
        _ plan: LedgerPlan, _ sequence: UInt32, _ previous: Bytes32, into out: inout XDRWriter
    ) -> (closeTime: Int, sequence: Int) {
        let version: LedgerVersion = variant(plan, sequence).isMultiple(of: 2) ? .v1 : .v2
        var random = SplitMix64(seed: plan.seed, 0x6865_6164, UInt64(sequence))
        out.uint32(version.protocolVersion)
        out.fixed(previous)
        out.fixed(random.bytes32())  // txSetHash
        let closeTime = out.bytes.count
        out.uint64(plan.closeTime(of: sequence))
        let upgrades = random.below(2)
        out.count(upgrades)
        for _ in 0..<upgrades { out.opaque([0, 0, 0, 1]) }
        out.uint32(1)  // STELLAR_VALUE_SIGNED
        out.accountID(random.bytes32())
        out.count(64)
        out.fixed(random.bytes32())
        out.fixed(random.bytes32())
        out.fixed(random.bytes32())  // txSetResultHash
        out.fixed(random.bytes32())  // bucketListHash
        let sequenceOffset = out.bytes.count
        out.uint32(sequence)
        out.int64(1_050_000_000_000_000_000)  // totalCoins
        out.int64(55_000_000_000_000)  // feePool
        out.uint32(0)
        out.uint64(random.next() >> 8)  // idPool
        out.uint32(100)
        out.uint32(5_000_000)
        out.uint32(1_000)
        for _ in 0..<4 { out.fixed(random.bytes32()) }
        out.uint32(0)
        return (closeTime, sequenceOffset)
    }

    /// What the transactions with events take in a ledger, on average of the first few.
    private static func eventBytes(_ plan: LedgerPlan, _ stage: LedgerPlan.Stage, _ cast: Cast) -> Int {
        let sample: UInt32 = 8
        let total = (0..<sample).reduce(0) { total, index in
            var transactions = TransactionMaker(plan, cast, stage.from &+ index, .v2, wantsRows: false)
            transactions.makeAll(before: 0)
            return total + transactions.out.bytes.count
        }
        return total / Int(sample) + 512
    }
}
