import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

/// Rows do not depend on how the work was split.
@Suite struct SplittingTests {
    private let ledgers: [[UInt8]]
    private let tracked: TrackedContracts
    private let whole: [ProtocolRows]

    init() throws {
        ledgers = try LedgerFolder.synthetic.ledgers()
        tracked = TrackedContracts(try LedgerFolder.synthetic.contracts())
        var processor = try LedgerProcessor(protocols: ["SEP41", "SEP50"], tracked: tracked)
        try processor.process(all: ledgers)
        whole = processor.takeRows()
        #expect(whole.allSatisfy { $0.rowCount > 100 })
    }

    @Test(arguments: [1, 2, 7, 19])
    func batchesGiveTheSameBytes(size: Int) throws {
        var tuples: [[UInt8]] = [[], []]
        var rowCounts = [0, 0]
        for start in stride(from: 0, to: ledgers.count, by: size) {
            var processor = try LedgerProcessor(protocols: ["SEP41", "SEP50"], tracked: tracked)
            try processor.process(all: ledgers[start..<min(start + size, ledgers.count)])
            for (index, rows) in processor.rows.enumerated() {
                tuples[index] += rows.tuples
                rowCounts[index] += rows.rowCount
            }
        }
        #expect(tuples == whole.map(\.tuples))
        #expect(rowCounts == whole.map(\.rowCount))
    }

    @Test func oneProtocolAtATimeGivesTheSameBytes() throws {
        for rows in whole {
            var processor = try LedgerProcessor(protocols: [rows.id], tracked: tracked)
            try processor.process(all: ledgers)
            #expect(processor.rows == [rows])
        }
    }

    @Test func takingRowsAfterEachLedgerGivesTheSameBytes() throws {
        var processor = try LedgerProcessor(protocols: ["SEP50", "SEP41"], tracked: tracked)
        var tuples: [ProtocolID: [UInt8]] = [:]
        for ledger in ledgers {
            _ = try processor.process(ledger.span.bytes)
            for rows in processor.takeRows() { tuples[rows.id, default: []] += rows.tuples }
            #expect(processor.pending == (0, 0))
        }
        for rows in whole { #expect(tuples[rows.id] == rows.tuples) }
    }

    @Test func sameLedgerTwiceGivesTheSameRowsTwice() throws {
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: tracked)
        for ledger in ledgers { try processor.process(all: [ledger, ledger]) }
        let rows = try TupleDecoder.rows(processor.rows[0].tuples)
        let expected = try #require(try LedgerFolder.synthetic.expectedRows()["SEP41"])
        let byLedger = Dictionary(grouping: expected, by: \.ledger)
        #expect(rows == byLedger.keys.sorted().flatMap { (byLedger[$0] ?? []) + (byLedger[$0] ?? []) })
    }
}
