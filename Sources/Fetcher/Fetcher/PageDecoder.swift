import LedgerSources
import Logging
import Pipeline
import Protocols
import StellarXDR
import Synchronization

/// A page fetched and turned into rows.
struct DecodedPage: Sendable {
    let rows: PageRows
    let responseBytes: Int
    let fetchSeconds: Double
    let processSeconds: Double
    let ignoredEvents: Int
}

/// Fetches one page and turns it into rows: from the response buffer to COPY tuples, ledger by ledger, in one reused scratch buffer.
struct PageDecoder: Sendable {
    let source: any LedgerSource
    let scratches: ScratchPool
    let logger: Logger

    func page(_ job: PageJob, tracked: TrackedContracts) async throws -> DecodedPage {
        let clock = ContinuousClock()
        let asked = clock.now
        let page = try await source.page(from: job.ledgers.lowerBound, limit: job.ledgers.count)
        let came = clock.now
        var processor = try LedgerProcessor(
            protocols: job.batch.protocols, tracked: tracked, onIgnored: logger.logLevel <= .debug ? { tell($0) } : nil)
        let link = try scratches.withScratch { scratch in
            try page.forEachLedger(scratch: &scratch) { _, xdr in _ = try processor.process(xdr) }
        }
        return DecodedPage(
            rows: PageRows(
                ledgers: page.ledgers, rows: processor.takeRows(), previousHash: link.previousHash, lastHash: link.hash),
            responseBytes: page.byteCount, fetchSeconds: (came - asked).seconds, processSeconds: (clock.now - came).seconds,
            ignoredEvents: processor.counts.reduce(0) { $0 + $1.ignored })
    }

    private func tell(_ event: IgnoredEvent) {
        logger.debug("event gives no row", metadata: event.fields.mapValues { "\($0)" })
    }
}

/// Scratch buffers between pages: as many as pages are decoded at once.
final class ScratchPool: Sendable {
    private let free = Mutex<[LedgerScratch]>([])

    func withScratch<Result>(_ body: (inout LedgerScratch) throws -> Result) rethrows -> Result {
        var scratch = free.withLock { $0.popLast() } ?? LedgerScratch()
        defer { free.withLock { $0.append(scratch) } }
        return try body(&scratch)
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
