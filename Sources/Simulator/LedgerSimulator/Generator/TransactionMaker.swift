/// Makes the transactions of one ledger that carry its events.
struct TransactionMaker {
    /// XDR of the `txProcessing` elements, without their count.
    private(set) var out = XDRWriter(capacity: 32768)
    /// Number of elements.
    private(set) var count = 0
    /// Rows of these transactions as lines of expected.jsonl; empty unless wanted.
    private(set) var lines: [String] = []

    private let plan: LedgerPlan
    private let closeMeta: LedgerVersion
    private let sequence: UInt32
    private let cast: Cast
    private let wantsRows: Bool
    private var random: SplitMix64

    /// - Parameter wantsRows: whether `lines` is to be filled.
    init(_ plan: LedgerPlan, _ cast: Cast, _ sequence: UInt32, _ closeMeta: LedgerVersion, wantsRows: Bool) {
        self.plan = plan
        self.cast = cast
        self.sequence = sequence
        self.closeMeta = closeMeta
        self.wantsRows = wantsRows
        random = SplitMix64(seed: plan.seed, 0x6576_656E, UInt64(sequence))
    }

    /// Makes transactions until the plan's number of events is reached.
    /// - Parameter before: how many transactions the ledger has before these.
    mutating func makeAll(before: Int) {
        // The transaction of an unknown version needs no events, but it has to be there.
        var left = max(plan.stages[plan.stage(of: sequence)].eventsPerLedger, plan.unknownTransactionVersion == sequence ? 1 : 0)
        while left > 0 {
            let events = min(left, random.below(9))
            left -= max(events, 1)
            make(events: events, position: before + count + 1)
            count += 1
        }
    }

    private mutating func make(events: Int, position: Int) {
        let isV4 = random.chance(50)
        let succeeds = !random.chance(12)
        let feeBump = random.chance(30)
        // The events of classic operations are no contract invocations': they must give no rows.
        let payments = isV4 && random.chance(20) ? random.below(3) : 0
        var maker = EventMaker(
            random: SplitMix64(seed: random.next()), cast: cast, rareAddresses: plan.rareAddresses,
            sink: RowSink(wanted: wantsRows && succeeds && payments == 0))
        for _ in 0..<(payments > 0 ? 2 : events) { maker.event() }

        if closeMeta == .v2 { out.uint32(0) }
        out.resultPair(
            random.bytes32(), payments > 0 ? .payment : .invocation, operations: max(payments, 1), succeeds: succeeds, feeBump: feeBump)
        let account = cast.account(&random)
        out.accountChanges(account, balance: 1_000_000_000)
        let eventCount = payments > 0 ? 2 : events
        if isV4 {
            metaV4(account, maker.out.bytes, eventCount, operations: max(payments, 1), isInvocation: payments == 0)
        } else {
            metaV3(account, maker.out.bytes, eventCount)
        }
        if closeMeta == .v2 { out.accountChanges(account, balance: 1_000_000_100) }
        note(maker.sink.rows, ExpectedRow.Position(ledger: sequence, closeTime: plan.closeTime(of: sequence), transaction: position))
    }

    /// What `TransactionMeta` says that it is.
    private func metaVersion(_ version: UInt32) -> UInt32 {
        plan.unknownTransactionVersion == sequence && count == 0 ? SimulatedLedger.unknownVersion : version
    }

    private mutating func metaV3(_ account: Bytes32, _ events: [UInt8], _ eventCount: Int) {
        out.uint32(metaVersion(3))
        out.uint32(0)
        out.accountChanges(account, balance: 1_000_000_000)
        out.count(1)
        out.accountChanges(account, balance: 999_000_000)
        out.count(0)  // txChangesAfter
        out.bool(true)
        out.sorobanFees()
        out.count(eventCount)
        out.raw(events)
        out.void()
        out.count(0)  // diagnosticEvents
    }

    private mutating func metaV4(_ account: Bytes32, _ events: [UInt8], _ eventCount: Int, operations: Int, isInvocation: Bool) {
        out.uint32(metaVersion(4))
        out.uint32(0)
        out.accountChanges(account, balance: 1_000_000_000)
        out.count(operations)
        for _ in 0..<operations {
            out.uint32(0)
            out.accountChanges(account, balance: 999_000_000)
            out.count(eventCount)
            out.raw(events)
        }
        out.count(0)
        out.bool(isInvocation)
        if isInvocation {
            out.sorobanFees()
            out.bool(true)
            out.void()
        }
        out.count(0)  // transaction events
        out.count(0)  // diagnosticEvents
    }

    /// Ordinals count within one operation of one protocol, and rows are listed by protocol.
    private mutating func note(_ rows: [ExpectedRow], _ position: ExpectedRow.Position) {
        for name in ExpectedRow.ProtocolName.allCases {
            for (index, row) in rows.filter({ $0.protocolName == name }).enumerated() {
                lines.append(row.line(at: position, ordinal: index + 1))
            }
        }
    }
}
