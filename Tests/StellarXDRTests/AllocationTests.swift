import CAllocationCounter
import StellarXDR
import Testing

/// A walk allocates nothing, however often it is done: malloc itself is counted.
struct AllocationTests {
    #if DEBUG
        // Unoptimised code allocates where optimised code does not.
        private static let isOptimised = false
    #else
        private static let isOptimised = true
    #endif

    @Test("No allocation per ledger", .enabled(if: isOptimised && allocation_counting_works() == 1))
    func walk() throws {
        let files = try Fixtures.all
        var events = 0
        var symbols = 0
        func walkAll() throws {
            for file in files {
                let walk = try LedgerReader.read(file.bytes.span.bytes) { event in
                    var topics = event.topics.makeIterator()
                    while let topic = topics.next() {
                        if topic.type == .symbol { symbols += 1 }
                    }
                }
                events += walk.eventCount
            }
        }
        try walkAll()
        let (eventsOnce, before) = (events, allocation_count())
        for _ in 0..<100 { try walkAll() }
        let allocations = allocation_count() - before
        #expect(allocations == 0)
        #expect(events == 101 * eventsOnce)
        #expect(eventsOnce > 600)
        #expect(symbols > 0)
    }

    @Test("The counter counts", .enabled(if: allocation_counting_works() == 1))
    func counter() throws {
        let ledger = XDR.ledger([]) + [0]
        let before = allocation_count()
        #expect(throws: XDRError.self) { try LedgerReader.read(ledger.span.bytes) { _ in } }
        #expect(allocation_count() > before)
    }
}
