package import Pipeline
package import StateChanges

/// Decides for a fetcher in one round: which ledgers it requests, what it offers to the writer, and how much more work it asks for.
/// A pure state machine: `Rows` are the rows of some ledgers.
///
///     open --request--> requested --fetched--> rows --offer--> part --send--> (gone)
///       ^                   |                    |              |
///       +-------------------+--------------------+--------------+   short or failed, batch revoked or dropped
///
/// Memory. A request gives rows while it arrives, and ends early when they have `allowance` bytes. It is begun only while what requests gave lately, for
/// each one in flight, has room within `budget` beside the rows that are here.
///
/// Progress. Somebody has the ledger that the writer has to commit next; let it be this fetcher, then it is the lowest that this fetcher has. What is
/// lowest here is requested even where all slots are taken and there is no room, and offered even where many offers wait for a reply. The writer asks for
/// it at once, for it comes next. So whatever fills the budgets of all processes, the lowest ledger gets through, and then the next one is the lowest.
/// And a fetcher without room still asks for one batch, so that what was taken back from another can always be given to it.
package struct FetchScheduler<Rows: Sendable>: Sendable {
    /// The limits that the scheduler keeps.
    package struct Limits: Sendable, Hashable {
        /// Requests in flight at most, whatever the source says.
        package var concurrency = 256
        /// Bytes of rows that are here, not sent yet.
        package var budget = 24 << 20
        /// Bytes of rows after which a request ends.
        package var allowance = 2 << 20
        /// Ledgers in a request as long as it is not known what rows they give: what a request does not come to is fetched again.
        package var firstLength = Int.max
        /// Bytes and frames up to which rows are joined into one part.
        package var partBytes = 4 << 20
        package var framesPerPart = 256
        /// Ledgers or bytes from which on rows are offered at once, though more is to follow: each part costs a commit.
        package var offerLedgers = 50
        package var offerBytes = 1 << 20
        /// Offers without a reply; more are made for lower ledgers only.
        package var offers = 16
        /// Batches that are here or asked for.
        package var batches = 10_000
        /// Ticks after which an offer without a reply is made again: the connection it came by may be gone, and the reply with it.
        package var offerAgainAfter = 5

        package init() {}
    }

    /// The ledgers of one request, from the first one on until their rows have `allowance` bytes.
    package struct Request: Sendable, Hashable {
        package let id: Int
        package let ledgers: LedgerRange
        package let protocols: [ProtocolID]
        package let allowance: Int
    }

    /// What a request gave.
    package struct FetchedRows: Sendable {
        package let ledgers: LedgerRange
        /// Rows of each of the protocols, in the request's order.
        package let counts: [Int]
        package let bytes: Int
        package let previousHash: String
        package let lastHash: String
        package let rows: Rows

        package init(ledgers: LedgerRange, counts: [Int], bytes: Int, previousHash: String, lastHash: String, rows: Rows) {
            self.ledgers = ledgers
            self.counts = counts
            self.bytes = bytes
            self.previousHash = previousHash
            self.lastHash = lastHash
            self.rows = rows
        }
    }

    /// Why a request came to nothing.
    package struct Failure: Error, Sendable, Hashable {
        /// The ledger that is wrong, where one is.
        package let ledger: UInt32?
        package let reason: String
        /// Whether it would fail elsewhere, too.
        package let isPermanent: Bool

        package init(ledger: UInt32?, reason: String, isPermanent: Bool) {
            self.ledger = ledger
            self.reason = reason
            self.isPermanent = isPermanent
        }
    }

    /// What can happen in a round.
    package enum Event: Sendable {
        case assigned([Batch])
        case revoked([BatchID])
        /// The request has ended, with rows of its first ledgers.
        case fetched(id: Int, FetchedRows)
        case failed(id: Int, Failure)
        case reply(RowsReply)
        case tick
    }

    /// What has to be done.
    package enum Action: Sendable {
        /// Followed by `fetched` or `failed`.
        case request(Request)
        /// Nobody waits for the request any more.
        case cancel(id: Int)
        case offer(PartHeader)
        case send(PartHeader, [Rows])
        case withdraw(number: Int)
        /// To the coordinator: it can take so many batches more.
        case ready(batches: Int)
        /// To the coordinator: the batch cannot be done here.
        case failed(Batch, reason: String, isPermanent: Bool)
    }

    private struct Lease {
        let batch: Batch
        /// The first ledger that is not offered; behind the last one where all are.
        var offered: UInt32
        /// The first ledger that is not sent.
        var sent: UInt32
    }

    private struct Open {
        var ledgers: LedgerRange
        let protocols: [ProtocolID]
    }

    private struct Job {
        let id: Int
        let ledgers: LedgerRange
        let protocols: [ProtocolID]
    }

    private struct Finished {
        let rows: FetchedRows
        let protocols: [ProtocolID]
    }

    private struct Part {
        enum Reply { case none, send, have }

        let header: PartHeader
        let pieces: [Finished]
        var reply = Reply.none
        var offeredAt: Int
    }

    private let run: RunID
    private let worker: WorkerID
    private let round: RoundNumber
    private let limits: Limits
    private var leases = LedgerMap<Lease>()
    private var leaseOfBatch: [BatchID: UInt32] = [:]
    private var open = LedgerMap<Open>()
    private var openLedgers = 0
    private var jobs = LedgerMap<Job>()
    private var jobOfID: [Int: UInt32] = [:]
    private var rows = LedgerMap<Finished>()
    /// Where rows begin that may be offered: all ledgers before them in their batch are.
    private var offerable = LedgerMap<Bool>()
    private var parts: [Int: Part] = [:]
    private var partOfLedger = LedgerMap<Int>()
    private var asked = 0
    /// What the last requests gave, the newest last.
    private var recent: [(ledgers: Int, bytes: Int)] = []
    /// The length of the last batch: what one more will probably bring.
    private var batchLength = 100
    private var ticks = 0
    /// A tick has come: whatever may be offered is.
    private var offersAreDue = false

    /// The number of the next request or part; never one twice in a process, so that what comes late is recognised.
    package private(set) var nextNumber: Int
    /// Bytes of rows that are here.
    package private(set) var heldBytes = 0
    /// How many of so many ledgers from this one on to ask for in one request, at the moment.
    package var requestLength: @Sendable (_ first: UInt32, _ available: Int) -> Int = { _, _ in 1 }
    /// Requests that should be in flight at the moment.
    package var requestsInFlight = 8

    package init(run: RunID, worker: WorkerID, round: RoundNumber, limits: Limits, firstNumber: Int) {
        self.run = run
        self.worker = worker
        self.round = round
        self.limits = limits
        nextNumber = firstNumber
    }

    /// The batches that are not sent whole.
    package var holding: [BatchID] { leases.ledgers.compactMap { leases[$0]?.batch.id } }

    /// What is asked for at the beginning.
    package mutating func begin() -> [Action] {
        var actions: [Action] = []
        proceed(&actions)
        return actions
    }

    /// Takes an event.
    /// - Returns: what has to be done, in this order.
    package mutating func take(_ event: Event) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .assigned(let batches): for batch in batches { add(batch, &actions) }
        case .revoked(let ids):
            for first in ids.compactMap({ leaseOfBatch[$0] }) { endLease(first, &actions) }
        case .fetched(let id, let rows): fetched(id, rows, &actions)
        case .failed(let id, let failure): failed(id, failure, &actions)
        case .reply(let reply): take(reply, &actions)
        case .tick: tick(&actions)
        }
        proceed(&actions)
        return actions
    }

    // MARK: Batches

    private mutating func add(_ batch: Batch, _ actions: inout [Action]) {
        asked = max(0, asked - 1)
        guard leaseOfBatch[batch.id] == nil else { return }
        let ordered = zip(batch.protocols, batch.protocols.dropFirst()).allSatisfy { $0 < $1 }
        guard batch.ledgers.lowerBound > 0, batch.ledgers.upperBound <= Int32.max, !batch.protocols.isEmpty, ordered else {
            return actions.append(.failed(batch, reason: "\(batch) is no batch that can be", isPermanent: true))
        }
        batchLength = batch.ledgers.count
        // Whoever has a batch twice has not yet heard that the first one is revoked.
        for first in leases.overlapping(batch.ledgers, \.batch.ledgers) { endLease(first, &actions) }
        let first = batch.ledgers.lowerBound
        leases[first] = Lease(batch: batch, offered: first, sent: first)
        leaseOfBatch[batch.id] = first
        reopen(batch.ledgers, batch.protocols)
    }

    /// The lease that begins at this ledger is over; all of it that is here goes.
    private mutating func endLease(_ first: UInt32, _ actions: inout [Action]) {
        guard let lease = leases[first] else { return }
        leases[first] = nil
        leaseOfBatch[lease.batch.id] = nil
        let range = lease.batch.ledgers
        for first in open.overlapping(range, \.ledgers) {
            guard let piece = open[first] else { continue }
            close(first)
            reopen(piece.ledgers, except: range, piece.protocols)
        }
        for first in jobs.overlapping(range, \.ledgers) {
            guard let job = remove(job: first) else { continue }
            actions.append(.cancel(id: job.id))
            reopen(job.ledgers, except: range, job.protocols)
        }
        withdrawParts(from: range.lowerBound, &actions)
        for first in rows.overlapping(range, \.rows.ledgers) {
            guard let finished = rows[first] else { continue }
            rows[first] = nil
            offerable[first] = nil
            heldBytes -= finished.rows.bytes
            reopen(finished.rows.ledgers, except: range, finished.protocols)
        }
    }

    /// Takes back all offers with this or a higher ledger: what is delivered of a batch has to be its beginning.
    private mutating func withdrawParts(from ledger: UInt32, _ actions: inout [Action]) {
        while let last = partOfLedger.last, let number = partOfLedger[last], let part = parts[number],
            part.header.ledgers.upperBound >= ledger
        {
            partOfLedger[last] = nil
            parts[number] = nil
            actions.append(.withdraw(number: number))
            for piece in part.pieces { rows[piece.rows.ledgers.lowerBound] = piece }
            for lease in leases.overlapping(part.header.ledgers, \.batch.ledgers) {
                let first = leases[lease].map { max($0.batch.ledgers.lowerBound, part.header.ledgers.lowerBound) }
                if let first { leases[lease]?.offered = first }
            }
            for piece in part.pieces { noteIfOfferable(piece.rows.ledgers.lowerBound) }
            if let behind = part.header.ledgers.upperBound.next { noteIfOfferable(behind) }
        }
    }

    // MARK: Requests

    /// Ledgers have to be requested (again); joined with their neighbours, so that requests may span batches.
    private mutating func reopen(_ ledgers: LedgerRange, _ protocols: [ProtocolID]) {
        var ledgers = ledgers
        openLedgers += ledgers.count
        if let first = open.last(notAbove: ledgers.lowerBound), let before = open[first], before.protocols == protocols,
            before.ledgers.upperBound.next == ledgers.lowerBound
        {
            ledgers = before.ledgers.lowerBound...ledgers.upperBound
            open[first] = nil
        }
        if let next = ledgers.upperBound.next, let behind = open[next], behind.protocols == protocols {
            ledgers = ledgers.lowerBound...behind.ledgers.upperBound
            open[next] = nil
        }
        open[ledgers.lowerBound] = Open(ledgers: ledgers, protocols: protocols)
    }

    private mutating func reopen(_ ledgers: LedgerRange, except range: LedgerRange, _ protocols: [ProtocolID]) {
        if ledgers.lowerBound < range.lowerBound { reopen(ledgers.lowerBound...min(ledgers.upperBound, range.lowerBound - 1), protocols) }
        if ledgers.upperBound > range.upperBound { reopen(max(ledgers.lowerBound, range.upperBound + 1)...ledgers.upperBound, protocols) }
    }

    private mutating func close(_ first: UInt32) {
        guard let piece = open[first] else { return }
        open[first] = nil
        openLedgers -= piece.ledgers.count
    }

    /// Takes the next ledgers to request from the open ones that begin at `first`.
    private mutating func cut(_ first: UInt32) -> Open? {
        guard let piece = open[first] else { return nil }
        close(first)
        let last = first + UInt32(length(from: first, of: piece.ledgers.count) - 1)
        if last < piece.ledgers.upperBound { reopen((last + 1)...piece.ledgers.upperBound, piece.protocols) }
        return Open(ledgers: first...last, protocols: piece.protocols)
    }

    /// As many ledgers as the source says, and as give no more rows than a request may.
    private func length(from first: UInt32, of available: Int) -> Int {
        let most = recent.map { $0.bytes / $0.ledgers }.max().map { limits.allowance / max(1, $0) } ?? limits.firstLength
        return max(1, min(requestLength(first, available), available, most))
    }

    private mutating func fetched(_ id: Int, _ fetched: FetchedRows, _ actions: inout [Action]) {
        guard let first = jobOfID[id], let job = jobs[first] else { return }
        let end = fetched.ledgers.upperBound
        guard fetched.ledgers.lowerBound == first, end <= job.ledgers.upperBound, fetched.counts.count == job.protocols.count,
            fetched.bytes >= 0
        else {
            let reason = "rows of \(fetched.ledgers) came where \(job.ledgers) were requested"
            return failed(id, Failure(ledger: nil, reason: reason, isPermanent: false), &actions)
        }
        remove(job: first)
        if end < job.ledgers.upperBound { reopen((end + 1)...job.ledgers.upperBound, job.protocols) }
        if recent.count == Self.requestsRemembered { recent.removeFirst() }
        recent.append((fetched.ledgers.count, fetched.bytes))
        rows[first] = Finished(rows: fetched, protocols: job.protocols)
        heldBytes += fetched.bytes
        noteIfOfferable(first)
    }

    /// A request has failed: the batch of the ledger that is wrong is given back, or all batches of the request where none is named.
    private mutating func failed(_ id: Int, _ failure: Failure, _ actions: inout [Action]) {
        guard let first = jobOfID[id], let job = remove(job: first) else { return }
        reopen(job.ledgers, job.protocols)
        let wrong = failure.ledger.flatMap { job.ledgers.contains($0) ? $0...$0 : nil } ?? job.ledgers
        for lease in leases.overlapping(wrong, \.batch.ledgers) { giveBack(lease, failure.reason, failure.isPermanent, &actions) }
    }

    private mutating func giveBack(_ lease: UInt32, _ reason: String, _ isPermanent: Bool, _ actions: inout [Action]) {
        guard let batch = leases[lease]?.batch else { return }
        endLease(lease, &actions)
        actions.append(.failed(batch, reason: reason, isPermanent: isPermanent))
    }

    @discardableResult
    private mutating func remove(job first: UInt32) -> Job? {
        guard let job = jobs[first] else { return nil }
        jobs[first] = nil
        jobOfID[job.id] = nil
        return job
    }

    // MARK: Parts

    private func leaseHolding(_ ledger: UInt32) -> Lease? {
        leases.last(notAbove: ledger).flatMap { leases[$0] }.flatMap { $0.batch.ledgers.contains(ledger) ? $0 : nil }
    }

    private mutating func noteIfOfferable(_ first: UInt32) {
        offerable[first] = rows[first] != nil && leaseHolding(first)?.offered == first ? true : nil
    }

    /// Rows that one part may hold.
    private struct Run {
        var pieces: [Finished] = []
        var bytes = 0
        var frames = 0
        /// The ledger behind the last one.
        var end: UInt32?
        /// No more rows can be joined.
        var isClosed = false
    }

    /// The rows that begin at this ledger and what follows them without a gap.
    private func run(from first: UInt32) -> Run {
        var run = Run(end: first)
        while let ledger = run.end, let piece = rows[ledger] {
            if let last = run.pieces.last {
                run.isClosed =
                    piece.protocols != last.protocols || run.bytes + piece.rows.bytes > limits.partBytes
                    || run.frames >= limits.framesPerPart || piece.rows.previousHash != last.rows.lastHash
                if run.isClosed { break }
            }
            run.pieces.append(piece)
            run.bytes += piece.rows.bytes
            run.frames += piece.rows.counts.count { $0 > 0 }
            run.end = piece.rows.ledgers.upperBound.next
        }
        return run
    }

    /// Whether rows that begin at this ledger are offered before a tick does it: they are enough, or nothing follows, or they fill the room.
    private func isRipe(_ run: Run, from first: UInt32) -> Bool {
        guard let end = run.end, !run.isClosed else { return true }
        return end - first >= limits.offerLedgers || run.bytes >= limits.offerBytes || !hasRoom || (open[end] == nil && jobs[end] == nil)
    }

    private mutating func offerWhatIsRipe(_ actions: inout [Action]) {
        var isDone = false
        while !isDone {
            isDone = true
            var position: UInt32 = 0
            for first in offerable.ledgers where first >= position {
                guard parts.count < limits.offers || partOfLedger.first.map({ first < $0 }) ?? true else { return }
                let run = run(from: first)
                position = run.end ?? .max
                guard offersAreDue || isRipe(run, from: first) else { continue }
                offer(run, from: first, &actions)
                isDone = false
                break
            }
        }
        offersAreDue = false
    }

    private mutating func offer(_ run: Run, from first: UInt32, _ actions: inout [Action]) {
        offerable[first] = nil
        let (pieces, bytes, position) = (run.pieces, run.bytes, run.end)
        guard let front = pieces.first, let back = pieces.last else { return }
        for piece in pieces {
            rows[piece.rows.ledgers.lowerBound] = nil
            offerable[piece.rows.ledgers.lowerBound] = nil
        }
        let ledgers = first...back.rows.ledgers.upperBound
        for lease in leases.overlapping(ledgers, \.batch.ledgers) { leases[lease]?.offered = ledgers.upperBound + 1 }
        if let behind = position { noteIfOfferable(behind) }
        let header = PartHeader(
            run: self.run, round: round, worker: worker, number: nextNumber, ledgers: ledgers,
            rows: front.protocols.enumerated().map { index, id in
                PartHeader.Rows(protocolID: id, frames: pieces.map { $0.rows.counts[index] }.filter { $0 > 0 })
            }, bytes: bytes, previousHash: front.rows.previousHash, lastHash: back.rows.lastHash)
        parts[nextNumber] = Part(header: header, pieces: pieces, offeredAt: ticks)
        partOfLedger[first] = nextNumber
        nextNumber += 1
        actions.append(.offer(header))
        // What does not continue the chain was fetched from another one: nobody can commit it.
        if let behind = position, let next = rows[behind], let batch = leaseHolding(behind)?.batch,
            next.rows.previousHash != back.rows.lastHash
        {
            let reason =
                "ledger \(behind) names \(next.rows.previousHash) as its predecessor's hash, but ledger \(behind - 1) has \(back.rows.lastHash)"
            giveBack(batch.ledgers.lowerBound, reason, false, &actions)
        }
    }

    private mutating func take(_ reply: RowsReply, _ actions: inout [Action]) {
        switch reply {
        case .send(round, let number):
            parts[number]?.reply = .send
            deliver(number, &actions)
        case .have(round, let number):
            parts[number]?.reply = .have
            deliver(number, &actions)
        case .drop(round, let number):
            guard let part = parts[number] else { return }
            for lease in leases.overlapping(part.header.ledgers, \.batch.ledgers) { endLease(lease, &actions) }
        case .send, .have, .drop:
            break
        }
    }

    /// Sends a part that the writer wants, once all that is before it in its batch is sent, and what waited for that.
    private mutating func deliver(_ number: Int, _ actions: inout [Action]) {
        var next: Int? = number
        while let number = next, let part = parts[number], part.reply != .none {
            let ledgers = part.header.ledgers
            guard leaseHolding(ledgers.lowerBound)?.sent == ledgers.lowerBound else { return }
            parts[number] = nil
            partOfLedger[ledgers.lowerBound] = nil
            heldBytes -= part.header.bytes
            if part.reply == .send { actions.append(.send(part.header, part.pieces.map(\.rows.rows))) }
            for lease in leases.overlapping(ledgers, \.batch.ledgers) {
                guard let batch = leases[lease]?.batch else { continue }
                if batch.ledgers.upperBound <= ledgers.upperBound {
                    leases[lease] = nil
                    leaseOfBatch[batch.id] = nil
                } else {
                    leases[lease]?.sent = ledgers.upperBound + 1
                }
            }
            next = ledgers.upperBound.next.flatMap { partOfLedger[$0] }
        }
    }

    private mutating func tick(_ actions: inout [Action]) {
        ticks += 1
        offersAreDue = true
        for first in partOfLedger.ledgers {
            guard let number = partOfLedger[first], let part = parts[number], part.reply == .none,
                ticks - part.offeredAt >= limits.offerAgainAfter
            else { continue }
            parts[number]?.offeredAt = ticks
            actions.append(.offer(part.header))
        }
    }

    // MARK: What comes next

    /// The lowest ledger that is here or has to be fetched.
    private var lowest: UInt32? { [open.first, jobs.first, rows.first, partOfLedger.first].compactMap { $0 }.min() }

    private static var requestsRemembered: Int { 32 }

    /// Whether one more request may be begun.
    private var hasRoom: Bool {
        let expected = recent.map(\.bytes).max() ?? limits.allowance / 4
        return heldBytes + (jobs.count + 1) * expected <= limits.budget
    }

    private mutating func proceed(_ actions: inout [Action]) {
        offerWhatIsRipe(&actions)
        requestWhatFits(&actions)
        askForWork(&actions)
    }

    private mutating func requestWhatFits(_ actions: inout [Action]) {
        while let first = open.first {
            let isLowest = first == lowest
            guard isLowest || (jobs.count < slots && hasRoom), let next = cut(first) else { return }
            let job = Job(id: nextNumber, ledgers: next.ledgers, protocols: next.protocols)
            nextNumber += 1
            jobs[first] = job
            jobOfID[job.id] = first
            actions.append(
                .request(Request(id: job.id, ledgers: job.ledgers, protocols: job.protocols, allowance: limits.allowance)))
        }
    }

    private var slots: Int { max(1, min(requestsInFlight, limits.concurrency)) }

    /// Asks for enough that every request slot has its next request at hand, and no more.
    private mutating func askForWork(_ actions: inout [Action]) {
        let longestRequest = 10_000
        var wanted = 0
        if hasRoom {
            let missing = slots * length(from: leases.last ?? 1, of: longestRequest) - openLedgers - asked * batchLength
            wanted = min(max(0, (missing + batchLength - 1) / batchLength), 1000, limits.batches - leases.count - asked)
        } else if asked == 0 {
            wanted = 1
        }
        guard wanted > 0 else { return }
        asked += wanted
        actions.append(.ready(batches: wanted))
    }
}

extension UInt32 {
    /// The number after this one, nil after the last.
    fileprivate var next: UInt32? { self == .max ? nil : self + 1 }
}
