import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

/// A ledger that cannot be read to its end leaves no row and no count behind.
@Suite struct CutLedgerTests {
    private func processor(_ folder: LedgerFolder) throws -> LedgerProcessor {
        try LedgerProcessor(protocols: ["SEP50", "SEP41"], tracked: TrackedContracts(folder.contracts()))
    }

    /// Cut, tried, cut further behind, tried, ..., then whole: as if it had been whole at once.
    @Test func ledgersThatEndEarlyLeaveNothingBehind() throws {
        let folder = LedgerFolder.synthetic
        var plain = try processor(folder)
        var retried = try processor(folder)
        for ledger in try folder.ledgers() {
            let before = (retried.rows, retried.counts)
            var (cuts, withRows) = (0, 0)
            for length in stride(from: 0, to: ledger.count, by: max(4, ledger.count / 150 & ~3)) {
                #expect(throws: LedgerProcessingError.self) {
                    _ = try retried.process(ledger.span.bytes.extracting(0..<length))
                }
                try #require(retried.rows == before.0 && retried.counts == before.1)
                cuts += 1
                // That there was something to be dropped: events before the cut.
                let events = eventsBeforeTheEnd(of: ledger.span.bytes.extracting(0..<length))
                withRows += events > 0 ? 1 : 0
            }
            let header = try retried.process(ledger.span.bytes)
            #expect(try plain.process(ledger.span.bytes).sequence == header.sequence)
            #expect(retried.rows == plain.rows)
            #expect(retried.counts == plain.counts)
            #expect(cuts >= 100)
            #expect(withRows > 0)
        }
    }

    private func eventsBeforeTheEnd(of bytes: RawSpan) -> Int {
        var events = 0
        _ = try? LedgerReader.read(front: bytes) { _ in events += 1 }
        return events
    }

    @Test func everyCutOfASmallLedgerLeavesNothingBehind() throws {
        let from = Value.address(.account(1))
        let contract = try #require(Hash32(Address.key(0xC0)))
        let good = Event("burn", [from], .i128(5))
        var ignored = good
        ignored.type = 0
        let ledger = LedgerBuilder(transactions: [[[good, ignored], [good]], [[good]]]).xdr
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [contract]]))
        _ = try processor.process(ledger.span.bytes)
        let once = (processor.rows[0], processor.counts[0])
        for length in 0..<ledger.count {
            #expect(throws: LedgerProcessingError.self) {
                _ = try processor.process(ledger.span.bytes.extracting(0..<length))
            }
            #expect(processor.rows[0] == once.0)
            #expect(processor.counts[0] == once.1)
        }
        _ = try processor.process(ledger.span.bytes)
        #expect(processor.rows[0].tuples == once.0.tuples + once.0.tuples)
        #expect(processor.counts[0].tracked == 8)

        let more = ledger + [1, 2, 3]
        #expect(throws: LedgerProcessingError.self) { _ = try processor.process(more.span.bytes) }
        #expect(processor.rows[0].tuples == once.0.tuples + once.0.tuples)
        #expect(processor.counts[0].tracked == 8)
    }

    @Test func whatHasNoPlaceInTheDatabaseLeavesNothingBehind() throws {
        var late = LedgerBuilder(Event("burn", [.address(.account(1))], .i128(5)))
        late.closeTime = .max
        let contract = try #require(Hash32(Address.key(0xC0)))
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [contract]]))
        let error = try #require(throws: LedgerProcessingError.self) { _ = try processor.process(late.xdr.span.bytes) }
        #expect(error.isPermanent)
        #expect(processor.pending == (0, 0))
    }
}
