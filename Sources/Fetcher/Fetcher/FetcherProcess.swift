import LedgerSources
import Logging
import Membership
import Pipeline
import Protocols
import StellarXDR
import ZeroMQ

/// A fetcher: asks the coordinator for batches, fetches their ledgers page by page with several requests in flight, turns them into rows and
/// hands the rows to the writer. One loop takes all events; requests run as child tasks of the epoch that they belong to.
struct FetcherProcess: Sendable {
    /// Everything that can happen to a fetcher.
    enum Event: Sendable {
        case link(CoordinatorLink.Event)
        case page(PageOutcome)
        case stop(String)
    }

    /// A request has ended.
    struct PageOutcome: Sendable {
        let epoch: Epoch
        let job: PageJob
        let result: Result<DecodedPage, any Error>
    }

    /// What the coordinator said at the beginning of an epoch.
    private struct Assignment: Sendable {
        let epoch: Epoch
        let writer: String
        let tracked: TrackedContracts
    }

    /// What comes after an epoch.
    private enum Next: Sendable {
        case epoch(Assignment)
        case idle
        case end(String)
    }

    let concurrency: Int
    let decoder: PageDecoder
    /// Requests that had to be repeated since the start.
    let retries: @Sendable () -> Int
    let loop: SocketLoop
    let link: CoordinatorLink
    let logger: Logger
    let report: @Sendable (Event) -> Void

    /// Works until the coordinator ends the run or a signal comes.
    func run(_ events: AsyncStream<Event>) async throws {
        var events = events.makeAsyncIterator()
        var counters = FetcherCounters()
        var next = Next.idle
        while true {
            switch next {
            case .idle: next = await idle(&events, &counters)
            case .epoch(let assignment): next = try await work(assignment, &events, &counters)
            case .end(let reason):
                logger.info("fetcher ends", metadata: ["reason": "\(reason)", "ledgers": "\(counters.ledgers)"])
                return
            }
        }
    }

    private func idle(_ events: inout AsyncStream<Event>.Iterator, _ counters: inout FetcherCounters) async -> Next {
        while let event = await events.next(isolation: #isolation) {
            if let next = follow(event) { return next }
            if case .link(.tick) = event { beat([], &counters) }
        }
        return .end("no more events")
    }

    private func beat(_ holding: [BatchID], _ counters: inout FetcherCounters) {
        counters.retries = retries()
        link.send(.heartbeat(holding: holding, counters: counters))
    }

    /// What ends an epoch or a pause, nil for any other event.
    private func follow(_ event: Event) -> Next? {
        switch event {
        case .link(.message(.fetch(let epoch, let writer, let contracts))): begin(epoch, writer, contracts)
        case .link(.message(.halt)), .link(.lost), .link(.registered): .idle
        case .link(.message(.end)): .end("the run is over")
        case .stop(let signal): .end(signal)
        case .link, .page: nil
        }
    }

    private func begin(_ epoch: Epoch, _ writer: String, _ contracts: [ProtocolID: [String]]) -> Next {
        let ids = contracts.mapValues { $0.compactMap { Hash32(hex: $0) } }
        logger.debug(
            "epoch begins", metadata: ["epoch": "\(epoch)", "contracts": "\(ids.map { "\($0.key.rawValue): \($0.value.count)" }.sorted())"])
        return .epoch(Assignment(epoch: epoch, writer: writer, tracked: TrackedContracts(ids)))
    }

    /// One epoch. Leaving it cancels the requests that are in flight: nobody waits for them any more.
    private func work(
        _ assignment: Assignment, _ events: inout AsyncStream<Event>.Iterator, _ counters: inout FetcherCounters
    ) async throws -> Next {
        let rows = try await loop.connectDealer(assignment.writer)
        defer { rows.close() }
        var desk = EpochDesk(concurrency: concurrency)
        return await withDiscardingTaskGroup(returning: Next.self) { group in
            defer { group.cancelAll() }
            while true {
                if let wanted = desk.credits(pageLength: decoder.source.pageLength) {
                    link.send(.ready(epoch: assignment.epoch, batches: wanted))
                }
                while let job = desk.nextJob(pageLength: decoder.source.pageLength) {
                    group.addTask { await fetch(job, assignment) }
                }
                guard let event = await events.next(isolation: #isolation) else { return .end("no more events") }
                if let next = follow(event) { return next }
                switch event {
                case .link(.message(.assign(assignment.epoch, let batch))):
                    desk.add(batch)
                case .link(.tick):
                    beat(desk.holding, &counters)
                case .page(let outcome) where outcome.epoch == assignment.epoch:
                    finish(outcome, &desk, rows, &counters)
                default:
                    break
                }
            }
        }
    }

    private func fetch(_ job: PageJob, _ assignment: Assignment) async {
        let result: Result<DecodedPage, any Error>
        do {
            result = .success(try await decoder.page(job, tracked: assignment.tracked))
        } catch {
            result = .failure(error)
        }
        report(.page(PageOutcome(epoch: assignment.epoch, job: job, result: result)))
    }

    private func finish(_ outcome: PageOutcome, _ desk: inout EpochDesk, _ rows: DealerSocket, _ counters: inout FetcherCounters) {
        let batch = outcome.job.batch
        desk.requestEnded()
        do {
            let page = try outcome.result.get()
            counters.add(page)
            if let finished = try desk.finish(outcome.job, page.rows) {
                try deliver(finished, epoch: outcome.epoch, to: rows)
            }
        } catch {
            guard desk.giveBack(outcome.job) else { return }
            let permanent = (error as? LedgerSourceError).map { !$0.isTransient } ?? false
            logger.warning(
                "batch given back",
                metadata: ["epoch": "\(outcome.epoch)", "batch": "\(batch.id)", "ledgers": "\(batch.ledgers)", "cause": "\(error)"])
            link.send(.failed(epoch: outcome.epoch, batch: batch.id, reason: "\(error)", permanent: permanent))
        }
    }

    /// Sends the rows of a batch to the writer; each page's rows of a protocol are one frame.
    private func deliver(_ finished: FinishedBatch, epoch: Epoch, to rows: DealerSocket) throws {
        guard let first = finished.pages.first, let last = finished.pages.last else { return }
        var parts: [RowsHeader.Part] = []
        var frames: [Frame] = []
        for (index, id) in finished.batch.protocols.enumerated() {
            let filled = finished.pages.map { $0.rows[index] }.filter { $0.rowCount > 0 }
            parts.append(RowsHeader.Part(protocolID: id, frames: filled.map(\.rowCount)))
            frames += filled.map { Frame($0.tuples) }
        }
        let identity = link.identity
        let header = RowsHeader(
            run: identity.run, epoch: epoch, worker: identity.worker, batch: finished.batch, parts: parts,
            previousHash: first.previousHash.hex, lastHash: last.lastHash.hex)
        rows.send(Message([Frame(try Wire.encode(header))] + frames))
    }
}

extension FetcherCounters {
    fileprivate mutating func add(_ page: DecodedPage) {
        ledgers += page.rows.ledgers.count
        responseBytes += page.responseBytes
        fetchSeconds += page.fetchSeconds
        processSeconds += page.processSeconds
        ignoredEvents += page.ignoredEvents
    }
}
