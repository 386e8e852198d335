package import Pipeline
package import Protocols
package import StellarXDR

/// The ledgers of one request.
package struct PageJob: Sendable, Equatable {
    package let batch: Batch
    package let ledgers: LedgerRange
    /// Tells this lease of the batch from an earlier one that was given back: pages of that one may still be under way.
    package let lease: Int
}

/// What one page gave: rows of the batch's protocols in its order, and the ends of its hash chain.
package struct PageRows: Sendable {
    package let ledgers: LedgerRange
    package let rows: [ProtocolRows]
    package let previousHash: Hash32
    package let lastHash: Hash32

    package init(ledgers: LedgerRange, rows: [ProtocolRows], previousHash: Hash32, lastHash: Hash32) {
        self.ledgers = ledgers
        self.rows = rows
        self.previousHash = previousHash
        self.lastHash = lastHash
    }
}

/// A batch all of whose pages are here, in ledger order.
package struct FinishedBatch: Sendable {
    package let batch: Batch
    package let pages: [PageRows]
}

/// Two pages of a batch that do not continue each other's hash chain.
package struct PagesDoNotJoin: Error, CustomStringConvertible {
    package let ledger: UInt32
    package let expected: Hash32
    package let found: Hash32

    package var description: String {
        "ledger \(ledger) names \(found.hex) as its predecessor's hash, but ledger \(ledger - 1) has \(expected.hex)"
    }
}

/// Cuts leased batches into pages and puts them together again. Several pages are under way at once, across batches, each of the
/// length that suits the server at the moment when it is asked for. A pure state machine.
package struct PageQueue: Sendable {
    private struct Work {
        let batch: Batch
        let lease: Int
        /// Not asked for yet, in ledger order; a short page puts its rest back.
        var open: [LedgerRange]
        var pages: [PageRows] = []
        var fetched = 0
    }

    private var works: [Work] = []
    private var leases = 0

    package init() {}

    /// The batches that are worked on.
    package var holding: [BatchID] { works.map(\.batch.id) }

    /// Ledgers that nobody asked the server for yet.
    package var openLedgers: Int { works.reduce(0) { $0 + $1.open.reduce(0) { $0 + $1.count } } }

    package mutating func add(_ batch: Batch) {
        guard !holding.contains(batch.id) else { return }
        leases += 1
        works.append(Work(batch: batch, lease: leases, open: [batch.ledgers]))
        works.sort { $0.batch.ledgers.lowerBound < $1.batch.ledgers.lowerBound }
    }

    /// The next ledgers to ask for, lowest first, at most `limit` of them.
    package mutating func next(limit: Int) -> PageJob? {
        guard let index = works.firstIndex(where: { !$0.open.isEmpty }) else { return nil }
        let range = works[index].open.removeFirst()
        // A remainder of a few ledgers would be a request of its own: better a slightly longer page or two equal ones.
        let length = range.count <= limit ? range.count : min(limit, range.count < 2 * limit ? (range.count + 1) / 2 : limit)
        let last = range.lowerBound + UInt32(max(1, length) - 1)
        if last < range.upperBound { works[index].open.insert((last + 1)...range.upperBound, at: 0) }
        return PageJob(batch: works[index].batch, ledgers: range.lowerBound...last, lease: works[index].lease)
    }

    /// A page came, possibly shorter than asked for.
    /// - Returns: the batch, once it is whole.
    package mutating func finish(_ job: PageJob, _ page: PageRows) throws(PagesDoNotJoin) -> FinishedBatch? {
        guard let index = works.firstIndex(where: { $0.lease == job.lease }) else { return nil }
        if page.ledgers.upperBound < job.ledgers.upperBound {
            works[index].open.append((page.ledgers.upperBound + 1)...job.ledgers.upperBound)
            works[index].open.sort { $0.lowerBound < $1.lowerBound }
        }
        works[index].pages.append(page)
        works[index].fetched += page.ledgers.count
        guard works[index].fetched == job.batch.ledgers.count else { return nil }
        let pages = works[index].pages.sorted { $0.ledgers.lowerBound < $1.ledgers.lowerBound }
        for (page, next) in zip(pages, pages.dropFirst()) where page.lastHash != next.previousHash {
            throw PagesDoNotJoin(ledger: next.ledgers.lowerBound, expected: page.lastHash, found: next.previousHash)
        }
        works.remove(at: index)
        return FinishedBatch(batch: job.batch, pages: pages)
    }

    /// The job's batch cannot be done here.
    /// - Returns: false where it was given back before.
    package mutating func giveBack(_ job: PageJob) -> Bool {
        let count = works.count
        works.removeAll { $0.lease == job.lease }
        return works.count < count
    }
}
