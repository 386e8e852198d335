package import Pipeline

/// What a fetcher has on its desk in one epoch: batches, requests in flight, and how much more it asked for. A pure state machine.
package struct EpochDesk: Sendable {
    private var queue = PageQueue()
    private var inFlight = 0
    private var asked = 0
    /// The length of the last batch: what one more credit will probably bring.
    private var batchLength = 100
    private let concurrency: Int
    private static let maxBatches = 64

    package init(concurrency: Int) { self.concurrency = concurrency }

    package var holding: [BatchID] { queue.holding }

    /// How many batches to ask for now: enough that every request slot has its next page at hand, and no more. Nil for none.
    package mutating func credits(pageLength: Int) -> Int? {
        var wanted = 0
        while queue.openLedgers + (asked + wanted) * batchLength < concurrency * pageLength,
            queue.holding.count + asked + wanted < Self.maxBatches
        {
            wanted += 1
        }
        asked += wanted
        return wanted > 0 ? wanted : nil
    }

    package mutating func add(_ batch: Batch) {
        asked = max(0, asked - 1)
        batchLength = batch.ledgers.count
        queue.add(batch)
    }

    /// The next request to make; nil while all slots are taken or nothing is left to ask for.
    package mutating func nextJob(pageLength: Int) -> PageJob? {
        guard inFlight < concurrency, let job = queue.next(limit: pageLength) else { return nil }
        inFlight += 1
        return job
    }

    /// A request has ended, one way or the other: its slot is free.
    package mutating func requestEnded() { inFlight -= 1 }

    /// - Returns: the batch that the page made whole, if it did.
    package mutating func finish(_ job: PageJob, _ page: PageRows) throws(PagesDoNotJoin) -> FinishedBatch? {
        try queue.finish(job, page)
    }

    /// The job's batch is given back.
    /// - Returns: false where it was given back before.
    package mutating func giveBack(_ job: PageJob) -> Bool { queue.giveBack(job) }
}
