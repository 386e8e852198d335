import Pipeline
import StateChanges
import StellarXDR
import Store
import TestSupport
import Testing
import Writer
import ZeroMQ

/// A group of parts as several transactions: each ledger in one of them, whole, in order.
@Suite struct CommitSlicesTests {
    /// Rows of one protocol in these ledgers, so many in each.
    private static func frame(_ rows: [(ledger: UInt32, count: Int)], base: Int) -> (frame: Frame, count: Int) {
        var encoder = StateChangeEncoder()
        let word = UInt64(0x0101_0101_0101_0101)
        let hash = Hash32(words: (word, word, word, word))
        for (ledger, count) in rows {
            let toID = Int64(ledger) << 32 | 4096
            let position = StateChangeEncoder.Position(
                ledger: ledger, createdAt: Int64(ledger) * 5_000_000, toID: toID, operationID: toID | 1)
            for id in 0..<count {
                encoder.append(
                    .balance, .burn, at: position, id: Int64(base + id), account: SCAddressView(kind: .account, key: hash), token: hash,
                    amount: DecimalText(UInt64(1)), spender: nil, keyValue: KeyValueText(), toMuxedID: nil)
            }
        }
        return (Frame(encoder.tuples), rows.reduce(0) { $0 + $1.count })
    }

    private static func part(
        _ ledgers: LedgerRange, a: [(ledger: UInt32, count: Int)], b: [(ledger: UInt32, count: Int)]
    ) throws -> ReorderBuffer<PartRows>.Part {
        let frames = [frame(a, base: 1 << 40), frame(b, base: 3 << 40)]
        let header = PartHeader(
            run: RunID(rawValue: "r"), round: 1, worker: 1, number: 1, ledgers: ledgers,
            rows: zip(["A", "B"], frames).map { PartHeader.Rows(protocolID: $0, frames: [$1.count]) },
            bytes: frames.reduce(0) { $0 + $1.frame.count }, previousHash: "", lastHash: "")
        return ReorderBuffer.Part(header: header, payload: try PartRows(header, frames.map(\.frame)[...]))
    }

    /// Ledgers 11-19: 11 has 2 + 1 rows, 13 has 5 + 0, 14 has 0 + 2, 17 has 40 + 2, 18 has 1 + 0.
    private static func group() throws -> ReorderBuffer<PartRows>.Group {
        let parts = [
            try part(11...15, a: [(11, 2), (13, 5)], b: [(11, 1), (14, 2)]),
            try part(16...19, a: [(17, 40), (18, 1)], b: [(17, 2)]),
        ]
        var buffer = ReorderBuffer<PartRows>()
        buffer.begin(cursors: ["A": 10, "B": 10])
        for part in parts { _ = buffer.insert(part.header, part.payload) }
        return try #require(try buffer.startCommit(maxRows: 1000, maxBytes: 1 << 20))
    }

    private static func slices(_ limits: [Int?]) throws -> [CommitSlice] {
        var slices = CommitSlices(try group())
        var all: [CommitSlice] = []
        var limits = limits[...]
        while !slices.isEmpty {
            let slice = try slices.peek(limits.first ?? nil)
            if limits.count > 1 { limits.removeFirst() }
            slices.drop(slice)
            all.append(slice)
        }
        return all
    }

    @Test(arguments: [nil, 53, 1000])
    func whatIsSmallEnoughIsNotLookedInto(limit: Int?) throws {
        let slices = try Self.slices([limit])
        #expect(slices.map(\.ledgers) == [11...19])
        #expect(slices.first?.rows.map(\.rowCount) == [48, 5])
        #expect(slices.first?.rows.map(\.chunks.count) == [2, 2])
        #expect(slices.first?.times == 55_000_000...90_000_000)
    }

    @Test func ledgersStayWhole() throws {
        let slices = try Self.slices([8])
        #expect(slices.map(\.ledgers) == [11...13, 14...16, 17...17, 18...19], "those without rows go with those before them")
        #expect(slices.map { $0.rows.map(\.rowCount) } == [[7, 1], [0, 2], [40, 2], [1, 0]])
        #expect(
            slices.map(\.times) == [55_000_000...65_000_000, 70_000_000...70_000_000, 85_000_000...85_000_000, 90_000_000...90_000_000])
        #expect(slices.map(\.isSmallest) == [false, true, true, true])
        let all = try Self.group()
        #expect(slices.reduce(0) { $0 + $1.bytes } == all.bytes)
    }

    @Test func aSingleRowIsASingleLedger() throws {
        #expect(try Self.slices([1]).map(\.ledgers) == [11...12, 13...13, 14...16, 17...17, 18...19])
    }

    @Test func theLimitMayChangeOnTheWay() throws {
        #expect(try Self.slices([3, nil]).map(\.ledgers) == [11...12, 13...19])
        #expect(try Self.slices([3, 1000]).map(\.ledgers) == [11...12, 13...19])
    }
}

/// How many rows a transaction has follows from how long they take.
@Suite struct CommitSizeTests {
    @Test func asManyRowsAsFiveSecondsTake() {
        var size = CommitSize(most: 10_000)
        #expect(!size.isLimited)
        size.took(4.9, rows: 10_000)
        #expect(!size.isLimited)
        size.took(20, rows: 10_000)
        #expect(size.rows == 2_500)
        size.took(10, rows: 2_500)
        #expect(size.rows == 1_250)
        size.took(3, rows: 1_250)
        #expect(size.rows == 1_250, "neither long nor short")
    }

    @Test func oneThatWaitedLongIsNotBelievedAlone() {
        var size = CommitSize(most: 10_000)
        size.took(3_600, rows: 10_000)
        #expect(size.rows == 1_000)
    }

    @Test func whatIsFastAgainGrowsAgain() {
        var size = CommitSize(most: 10_000)
        size.cutOff(rows: 8_000)
        #expect(size.rows == 1_000)
        size.took(0.1, rows: 10)
        #expect(size.rows == 1_000, "a few rows say nothing of many")
        for rows in [2_000, 4_000, 8_000, 10_000] {
            size.took(0.1, rows: size.rows)
            #expect(size.rows == rows)
        }
        #expect(!size.isLimited)
    }

    @Test func itNeverFallsBelowOneRow() {
        var size = CommitSize(most: 10_000)
        for _ in 0..<10 { size.cutOff(rows: 5) }
        #expect(size.rows == 1)
        size.took(100, rows: 1)
        #expect(size.rows == 1, "a single row is as slow as it is")
    }
}
