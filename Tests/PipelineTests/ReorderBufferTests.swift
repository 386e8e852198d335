import Pipeline
import StateChanges
import Testing

@Suite struct ReorderBufferTests {
    private func header(
        _ ledgers: LedgerRange, _ protocols: [ProtocolID] = ["A"], worker: WorkerID = 1, rows: Int = 1, bytes: Int = 10,
        previous: String? = nil
    ) -> PartHeader {
        PartHeader(
            run: RunID(rawValue: "r"), round: 1, worker: worker, number: Int(ledgers.lowerBound), ledgers: ledgers,
            rows: protocols.map { PartHeader.Rows(protocolID: $0, frames: [rows]) }, bytes: bytes,
            previousHash: previous ?? "h\(ledgers.lowerBound - 1)", lastHash: "h\(ledgers.upperBound)")
    }

    private func buffer(_ cursors: [ProtocolID: UInt32] = ["A": 10]) -> ReorderBuffer<Int> {
        var buffer = ReorderBuffer<Int>()
        buffer.begin(cursors: cursors)
        return buffer
    }

    private func keep(_ header: PartHeader, _ payload: Int = 0, in buffer: inout ReorderBuffer<Int>) {
        let judgement = buffer.judge(header)
        #expect(judgement == .fits)
        let displaced = buffer.insert(header, payload)
        #expect(displaced.isEmpty)
    }

    private func start(_ buffer: inout ReorderBuffer<Int>, rows: Int = 1000, bytes: Int = 1 << 20) throws(UnfitPart) -> ReorderBuffer<Int>
        .Group?
    {
        try buffer.startCommit(maxRows: rows, maxBytes: bytes)
    }

    @Test func waitsForThePartThatComesNextAndJoinsWhatIsConsecutive() throws {
        var buffer = buffer()
        keep(header(21...30), 2, in: &buffer)
        let early = try start(&buffer)
        #expect(early == nil)
        keep(header(11...20), 1, in: &buffer)
        let ready = try start(&buffer)
        let group = try #require(ready)
        #expect(group.ledgers == 11...30)
        #expect(group.parts.map(\.payload) == [1, 2])
        #expect(buffer.bytes == 20, "what is under way is still in memory")
        #expect(buffer.next == 31)
        buffer.committed(["A"])
        #expect(buffer.cursors == ["A": 30])
        #expect(buffer.bytes == 0)
    }

    @Test func joinsNoMoreThanAllowedButNeverLessThanOnePart() throws {
        var byRows = buffer()
        keep(header(11...20, rows: 60), in: &byRows)
        keep(header(21...30, rows: 60), in: &byRows)
        var tight = byRows
        #expect(try start(&byRows, rows: 100)?.ledgers == 11...20)
        #expect(try start(&tight, rows: 10)?.ledgers == 11...20)
        var byBytes = buffer()
        keep(header(11...20, bytes: 60), in: &byBytes)
        keep(header(21...30, bytes: 60), in: &byBytes)
        #expect(try start(&byBytes, bytes: 100)?.ledgers == 11...20)
    }

    @Test func oneGroupAtATime() throws {
        var buffer = buffer()
        keep(header(11...20), in: &buffer)
        _ = try start(&buffer)
        keep(header(21...30), in: &buffer)
        let second = try start(&buffer)
        #expect(second == nil)
        buffer.committed(["A"])
        #expect(try start(&buffer)?.ledgers == 21...30)
    }

    @Test func theSamePartIsKnownBeforeWhileAndAfterItIsCommitted() throws {
        var buffer = buffer()
        keep(header(11...20), in: &buffer)
        #expect(buffer.judge(header(11...20, worker: 2)) == .known)
        _ = try start(&buffer)
        #expect(buffer.judge(header(11...20, worker: 2)) == .known)
        buffer.committed(["A"])
        #expect(buffer.judge(header(11...20, worker: 2)) == .known)
        #expect(buffer.judge(header(12...19, worker: 2)) == .known)
    }

    @Test func whatOverlapsIsRefused() {
        var buffer = buffer()
        guard case .overlapping = buffer.judge(header(5...20)) else { Issue.record("overlap with a cursor"); return }
        keep(header(21...30), in: &buffer)
        for ledgers: LedgerRange in [15...21, 21...25, 25...26, 30...40, 12...99] {
            guard case .overlapping = buffer.judge(header(ledgers)) else { Issue.record("overlap of \(ledgers)"); return }
        }
    }

    /// Otherwise what comes next could wait for ever for a place that is taken by what cannot come before it.
    @Test func whatComesNextDisplacesWhatItOverlaps() throws {
        var buffer = buffer()
        keep(header(15...20), 1, in: &buffer)
        keep(header(21...30), 2, in: &buffer)
        #expect(buffer.judge(header(11...25)) == .fits)
        let displaced = buffer.insert(header(11...25), 3)
        #expect(displaced.map(\.ledgers) == [15...20, 21...30])
        #expect(try start(&buffer)?.parts.map(\.payload) == [3])
    }

    @Test func impossibleHeadersAreFaults() {
        let buffer = buffer()
        let odd = [
            header(11...UInt32.max), header(11...20, ["B", "A"]), header(11...20, ["A", "A"]), header(11...20, []),
            header(11...20, rows: -1),
            header(11...20, bytes: -1), header(11...20, bytes: .max),
            PartHeader(
                run: RunID(rawValue: "r"), round: 1, worker: 1, number: 1, ledgers: 0...20, rows: [.init(protocolID: "A", frames: [])],
                bytes: 0,
                previousHash: "", lastHash: ""),
        ]
        for header in odd {
            guard case .faulty = buffer.judge(header) else { Issue.record("\(header)"); continue }
        }
    }

    @Test func aPartThatLeavesAProtocolOutIsAFault() {
        let buffer = buffer(["A": 10, "B": 15])
        #expect(buffer.judge(header(11...15)) == .fits)
        guard case .faulty = buffer.judge(header(11...16)) else { Issue.record("ledger 16 is needed for B, too"); return }
    }

    @Test func rowsBeyondAllNumbersAreNoReasonToCrash() throws {
        var buffer = buffer()
        keep(header(11...20, rows: .max), in: &buffer)
        keep(header(21...30, rows: .max), in: &buffer)
        #expect(try start(&buffer)?.ledgers == 11...20)
    }

    @Test func protocolsThatStandApartJoinWhereTheyMeet() throws {
        var buffer = buffer(["A": 10, "B": 20])
        keep(header(21...30, ["A", "B"]), in: &buffer)
        let early = try start(&buffer)
        #expect(early == nil)
        keep(header(11...20), in: &buffer)
        let first = try start(&buffer)
        #expect(first?.ledgers == 11...20)
        #expect(first?.protocols == ["A"])
        buffer.committed(["A"])
        #expect(try start(&buffer)?.protocols == ["A", "B"])
    }

    @Test func aProtocolWhoseSwapFailedTakesNoFurtherPart() throws {
        var buffer = buffer(["A": 10, "B": 10])
        keep(header(11...20, ["A", "B"]), in: &buffer)
        _ = try start(&buffer)
        keep(header(21...30, ["A", "B"]), in: &buffer)
        buffer.committed(["B"])
        #expect(buffer.cursors == ["B": 20])
        #expect(try start(&buffer)?.protocols == ["B"])
        keep(header(31...40, ["A", "B"]), in: &buffer)
        buffer.drop("B")
        #expect(buffer.count == 0)
        #expect(buffer.judge(header(31...40, ["A", "B"])) == .unwanted)
    }

    @Test func aBrokenChainIsNotCommittedAndCanBeMended() throws {
        var buffer = buffer()
        keep(header(11...20), in: &buffer)
        keep(header(21...30, previous: "other"), in: &buffer)
        #expect(try start(&buffer)?.ledgers == 11...20, "what is in front of the break can go")
        buffer.committed(["A"])
        #expect(throws: UnfitPart.self) { _ = try start(&buffer) }
        #expect(buffer.bytes == 0)
        keep(header(21...30), in: &buffer)
        #expect(try start(&buffer)?.ledgers == 21...30)
    }

    @Test(arguments: [true, false]) func theChainHoldsAcrossRounds(succeeds: Bool) throws {
        var buffer = buffer()
        keep(header(11...20), in: &buffer)
        _ = try start(&buffer)
        buffer.committed(["A"])
        keep(header(21...30), in: &buffer)
        _ = try start(&buffer)
        // The round ends with a transaction under way, of which nobody knows the outcome.
        buffer.end()
        let cursor: UInt32 = succeeds ? 30 : 20
        buffer.begin(cursors: ["A": cursor])
        keep(header((cursor + 1)...40, previous: "other"), in: &buffer)
        #expect(throws: UnfitPart.self) { _ = try start(&buffer) }
    }
}

@Suite struct LedgerMapTests {
    @Test func behavesLikeASortedDictionary() {
        var generator = SystemRandomNumberGenerator()
        var map = LedgerMap<Int>()
        var model: [UInt32: Int] = [:]
        for step in 0..<20_000 {
            let ledger = UInt32.random(in: 0...200, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0, 1:
                map[ledger] = step
                model[ledger] = step
            case 2:
                map[ledger] = nil
                model[ledger] = nil
            default:
                if let first = map.first {
                    map[first] = nil
                    model[first] = nil
                }
            }
            let sorted = model.keys.sorted()
            guard Array(map.ledgers) == sorted, map.first == sorted.first, map.last == sorted.last, map[ledger] == model[ledger],
                map.last(notAbove: ledger) == sorted.last(where: { $0 <= ledger }),
                map.first(notBelow: ledger) == sorted.first(where: { $0 >= ledger })
            else {
                Issue.record("differs from the model after step \(step)")
                return
            }
        }
    }

    @Test func findsRangesThatOverlap() {
        var map = LedgerMap<LedgerRange>()
        for range: LedgerRange in [1...5, 6...6, 10...20, UInt32.max - 1...UInt32.max] { map[range.lowerBound] = range }
        #expect(map.overlapping(5...10) { $0 } == [1, 6, 10])
        #expect(map.overlapping(7...9) { $0 } == [])
        #expect(map.overlapping(0...UInt32.max) { $0 } == [1, 6, 10, UInt32.max - 1])
    }
}
