internal import DequeModule
public import StateChanges

/// Who works on which ledgers in one round: cuts batches from the plan on demand, leases them to fetchers that asked for work, takes them back from
/// fetchers that died or failed, and keeps what is leased within the window. A pure state machine: it sends nothing and knows no clock.
///
///     planned --lease--> leased --received--> received --committed--> (gone)
///               ^          |                     |
///               +----------+---------------------+   fetcher lost, batch failed or refused by the writer
///
/// A batch may arrive at the writer, and be committed, in parts. What the writer has of it is always its beginning; a batch that is taken back goes out
/// again from there on, under another number, so that what is still said of the old number is recognised.
///
/// A ledger that kills fetchers is found by halving: whatever a crashed fetcher held is suspect, a suspect is leased to a fetcher that holds nothing
/// else, and one that kills its fetcher is cut into pieces until a single ledger remains.
///
/// A step costs O(log n) in the number of leases, and O(n) only where something was lost.
public struct LeaseTable: Hashable, Sendable {
    /// A batch leased to a worker.
    public struct Grant: Hashable, Sendable {
        /// Who gets it.
        public let worker: WorkerID
        /// What it gets.
        public let batch: Batch

        /// A grant.
        public init(worker: WorkerID, batch: Batch) {
            self.worker = worker
            self.batch = batch
        }
    }

    /// What follows from a failure.
    public enum Failure: Hashable, Sendable {
        /// It goes to a fetcher again, preferably another one; the number counts the failures so far.
        case retry(failures: Int)
        /// It failed too often: the run ends.
        case giveUp(LedgerRange)
        /// Nobody waits for it any more.
        case stale
    }

    /// What became of the leases of a fetcher that is lost.
    public struct Loss: Hashable, Sendable {
        /// The ledgers that wait for another fetcher now, in order.
        public let takenBack: [LedgerRange]
        /// A single ledger that has killed fetchers too often.
        public let poison: UInt32?
    }

    private enum State: Hashable, Sendable {
        case waiting
        case leased(WorkerID)
        case received
    }

    private struct Lease: Hashable, Sendable {
        /// 0 while nobody has it.
        var id: BatchID = 0
        var ledgers: LedgerRange
        var protocols: [ProtocolID]
        var state = State.waiting
        /// How many of its ledgers, from the first on, the writer has.
        var receivedCount = 0
        var failures = 0
        /// Fetchers that died of it, with nothing else on their hands.
        var crashes = 0
        var isSuspect = false
        var failedOn: WorkerID?
        var unknownBeats = 0

        init(_ ledgers: LedgerRange, _ protocols: [ProtocolID]) {
            self.ledgers = ledgers
            self.protocols = protocols
        }
    }

    /// Rows may be long on their way from a fetcher to the writer, and neither knows of the batch meanwhile.
    private static let lostAfterBeats = 30
    /// Fetchers that a single ledger may kill before the run ends.
    private static let maxCrashes = 3
    /// Pieces into which a batch that killed a fetcher is cut.
    private static let pieces = 8
    /// Ledgers of a batch at most as long as nobody knows how many rows a ledger has.
    private static let firstBatchLength = 100

    private var segments: [RoundPlan.Segment]
    private var nextLedger: UInt32
    private var lastID: BatchID = 0
    /// In ledger order.
    private var leases = Deque<Lease>()
    /// The last ledger of each batch that is leased, by its number.
    private var lastLedgers: [BatchID: UInt32] = [:]
    private var waitingCount = 0
    private var suspectCount = 0
    private var credits: [WorkerID: Int] = [:]
    private var held: [WorkerID: Int] = [:]
    private let batchLength: Int
    private let ledgersPerFile: Int
    private let maxFailures: Int

    /// The bound on what is leased; may be changed as fetchers come and go.
    public var window: Window
    /// Bytes of rows that a ledger has, estimated from what came lately: rises at once, falls slowly. Nil as long as nothing came.
    public private(set) var bytesPerLedger: Int?
    /// The last ledger that was ever leased in this round, 0 before the first.
    public private(set) var handedOut: UInt32 = 0
    /// Ledgers committed in this round.
    public private(set) var committedLedgers = 0

    /// A table for a plan.
    /// - Parameters:
    ///   - batchLength: ledgers per batch at most, at least 1.
    ///   - ledgersPerFile: ledgers that are fetched as one, from a multiple of this number on: a batch ends where a file ends, so that none is fetched for
    ///     two batches, and is longer than `batchLength` where a file is.
    ///   - bytesPerLedger: what an earlier round has found.
    ///   - maxFailures: a batch that failed this often ends the run.
    public init(
        plan: RoundPlan, batchLength: Int, ledgersPerFile: Int = 1, window: Window, bytesPerLedger: Int? = nil, maxFailures: Int = 5
    ) {
        segments = plan.segments.reversed()
        nextLedger = plan.segments.first?.ledgers.lowerBound ?? 0
        self.batchLength = max(1, batchLength)
        self.ledgersPerFile = max(1, ledgersPerFile)
        self.window = window
        self.bytesPerLedger = bytesPerLedger
        self.maxFailures = maxFailures
    }

    /// Everything planned is committed (or no longer wanted).
    public var isComplete: Bool { segments.isEmpty && leases.isEmpty }

    /// Batches leased, waiting to be leased again, or received, and not committed.
    public var outstanding: Int { leases.count }

    /// The ledgers of these batches.
    public var outstandingLedgers: Int { leases.reduce(0) { $0 + $1.ledgers.count } }

    /// How many batches each worker has a lease of.
    public var heldBatches: [WorkerID: Int] { held }

    // MARK: what happens

    /// A fetcher asks for that many batches more.
    public mutating func ask(_ count: Int, by worker: WorkerID) {
        credits[worker] = min(1000, credits[worker, default: 0] + max(0, min(1000, count)))
    }

    /// A fetcher is gone: its requests lapse, and what it worked on waits for another one.
    /// - Parameter crashed: it may have died of what it worked on.
    public mutating func lost(_ worker: WorkerID, crashed: Bool) -> Loss {
        credits[worker] = nil
        guard held[worker, default: 0] > 0 else { return Loss(takenBack: [], poison: nil) }
        var takenBack: [LedgerRange] = []
        var poison: UInt32?
        var index = 0
        while index < leases.count {
            guard leases[index].state == .leased(worker) else {
                index += 1
                continue
            }
            index = takeBack(at: index)
            takenBack.append(leases[index].ledgers)
            if crashed { poison = suspect(at: index) ?? poison }
            index += 1
        }
        return Loss(takenBack: takenBack, poison: poison)
    }

    /// The writer has all rows of these ledgers, in `bytes` bytes.
    public mutating func received(_ ledgers: LedgerRange, bytes: Int) {
        let perLedger = max(0, min(bytes, 1 << 40)) / ledgers.count
        bytesPerLedger = bytesPerLedger.map { max(perLedger, $0 - ($0 - perLedger) / 5) } ?? perLedger
        var index = firstIndex(endingAtOrAfter: ledgers.lowerBound)
        while index < leases.count, leases[index].ledgers.lowerBound <= ledgers.upperBound {
            let lease = leases[index].ledgers
            // What is there must be its beginning.
            if Int(max(lease.lowerBound, ledgers.lowerBound) - lease.lowerBound) <= leases[index].receivedCount {
                let count = Int(min(lease.upperBound, ledgers.upperBound) - lease.lowerBound) + 1
                leases[index].receivedCount = max(leases[index].receivedCount, count)
            }
            if leases[index].receivedCount == lease.count, leases[index].state != .received {
                free(at: index)
                setState(.received, at: index)
            }
            index += 1
        }
    }

    /// Ledgers up to this one are in the database.
    public mutating func committed(through ledger: UInt32) {
        while let first = leases.first, first.ledgers.upperBound <= ledger {
            committedLedgers += first.ledgers.count
            free(at: 0)
            setState(.received, at: 0)
            if first.isSuspect { suspectCount -= 1 }
            leases.removeFirst()
        }
        guard let first = leases.first, first.ledgers.lowerBound <= ledger else { return }
        let count = Int(ledger - first.ledgers.lowerBound) + 1
        committedLedgers += count
        leases[0].ledgers = (ledger + 1)...first.ledgers.upperBound
        leases[0].receivedCount = max(0, first.receivedCount - count)
    }

    /// A fetcher could not do a batch.
    public mutating func failed(_ id: BatchID, on worker: WorkerID) -> Failure {
        guard let index = index(of: id), leases[index].state == .leased(worker) else { return .stale }
        let rest = takeBack(at: index)
        leases[rest].failedOn = worker
        return countFailure(at: rest)
    }

    /// The writer could not use what came for these ledgers: they have to be fetched again.
    /// - Parameter isFault: what came was wrong; otherwise it was merely there already in part.
    /// - Returns: what follows, and the batches that are taken from their fetchers by it.
    public mutating func refused(_ ledgers: LedgerRange, isFault: Bool) -> (failure: Failure, revoked: [(worker: WorkerID, batch: BatchID)])
    {
        var failure = Failure.stale
        var revoked: [(worker: WorkerID, batch: BatchID)] = []
        var index = firstIndex(endingAtOrAfter: ledgers.lowerBound)
        while index < leases.count, leases[index].ledgers.lowerBound <= ledgers.upperBound {
            let lease = leases[index].ledgers
            let before = ledgers.lowerBound > lease.lowerBound ? Int(ledgers.lowerBound - lease.lowerBound) : 0
            if isFault { leases[index].receivedCount = min(leases[index].receivedCount, before) }
            switch leases[index].state {
            case .leased(let worker):
                revoked.append((worker, leases[index].id))
                index = takeBack(at: index)
                leases[index].failedOn = worker
            case .received where isFault:
                index = takeBack(at: index)
            case .received, .waiting:
                break
            }
            if isFault {
                let counted = countFailure(at: index)
                if case .giveUp = failure {} else { failure = counted }
            }
            index += 1
        }
        return (failure, revoked)
    }

    /// A fetcher says, with every heartbeat, which batches it holds. A lease that it does not know of for many heartbeats on end, and
    /// that the writer never received, was lost on its way.
    /// - Returns: the ledgers taken back.
    public mutating func heartbeat(of worker: WorkerID, holding: Set<BatchID>) -> [LedgerRange] {
        guard held[worker, default: 0] > 0 else { return [] }
        var takenBack: [LedgerRange] = []
        var index = 0
        while index < leases.count {
            if leases[index].state == .leased(worker) {
                leases[index].unknownBeats = holding.contains(leases[index].id) ? 0 : leases[index].unknownBeats + 1
                if leases[index].unknownBeats >= Self.lostAfterBeats {
                    index = takeBack(at: index)
                    takenBack.append(leases[index].ledgers)
                }
            }
            index += 1
        }
        return takenBack
    }

    /// A protocol left the migration: its ledgers are left out, where no other protocol needs them.
    public mutating func drop(_ protocolID: ProtocolID) {
        let first = segments.last?.ledgers.lowerBound
        segments = segments.map { segment in
            RoundPlan.Segment(ledgers: segment.ledgers, protocols: segment.protocols.filter { $0 != protocolID })
        }.filter { !$0.protocols.isEmpty }
        if let start = segments.last?.ledgers.lowerBound, start != first { nextLedger = start }
        for index in leases.indices.reversed() where leases[index].protocols.contains(protocolID) {
            leases[index].protocols.removeAll { $0 == protocolID }
            guard leases[index].protocols.isEmpty else { continue }
            free(at: index)
            setState(.received, at: index)
            if leases[index].isSuspect { suspectCount -= 1 }
            leases.remove(at: index)
        }
    }

    // MARK: leasing

    /// Leases out as much as requests and window allow: first what was taken back, lowest ledgers first, then new batches.
    public mutating func grants() -> [Grant] {
        var made: [Grant] = []
        if waitingCount > 0 {
            for index in leases.indices where leases[index].state == .waiting {
                guard let worker = leases[index].isSuspect ? workerWithoutLeases() : worker(avoiding: leases[index].failedOn) else {
                    continue
                }
                made.append(lease(at: index, to: worker))
                if waitingCount == 0 { break }
            }
        }
        while leases.count < window.batches, let worker = worker(avoiding: nil), let next = cut() {
            leases.append(next)
            waitingCount += 1
            made.append(lease(at: leases.count - 1, to: worker))
        }
        return made
    }

    private mutating func lease(at index: Int, to worker: WorkerID) -> Grant {
        lastID += 1
        credits[worker, default: 1] -= 1
        held[worker, default: 0] += 1
        setState(.leased(worker), at: index)
        leases[index].id = lastID
        leases[index].unknownBeats = 0
        let ledgers = leases[index].ledgers
        lastLedgers[lastID] = ledgers.upperBound
        handedOut = max(handedOut, ledgers.upperBound)
        return Grant(worker: worker, batch: Batch(id: lastID, ledgers: ledgers, protocols: leases[index].protocols))
    }

    /// The fetcher that asked for most, another one than that on which the batch failed where there is a choice.
    private func worker(avoiding avoided: WorkerID?) -> WorkerID? {
        let reserved = suspectCount > 0 ? occupiedBySuspects() : []
        let ready = credits.filter { $0.value > 0 && !reserved.contains($0.key) }
        let preferred = ready.filter { $0.key != avoided }
        return (preferred.isEmpty ? ready : preferred).max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    }

    /// For a suspect: if it kills its fetcher, it must have been alone with it.
    private func workerWithoutLeases() -> WorkerID? {
        credits.filter { $0.value > 0 && held[$0.key, default: 0] == 0 }.map(\.key).min()
    }

    /// Fetchers that get nothing else: those with a suspect, and, while a suspect waits, the one that will soonest be free for it.
    private func occupiedBySuspects() -> Set<WorkerID> {
        var occupied: Set<WorkerID> = []
        var waits = false
        for lease in leases where lease.isSuspect {
            switch lease.state {
            case .leased(let worker): occupied.insert(worker)
            case .waiting: waits = true
            case .received: break
            }
        }
        if waits,
            let next = credits.keys.filter({ !occupied.contains($0) }).min(by: { (held[$0, default: 0], $0) < (held[$1, default: 0], $1) })
        {
            occupied.insert(next)
        }
        return occupied
    }

    /// How many ledgers there are from the next one to the end of the last file that ends within `most`; to the end of the first file where none does,
    /// but no more than `longest`.
    private func toEndOfFile(most: Int, longest: Int) -> Int {
        let first = Int(nextLedger)
        let whole = (first + most) / ledgersPerFile * ledgersPerFile - first
        if whole > 0 { return whole }
        return min(ledgersPerFile - first % ledgersPerFile, longest)
    }

    private mutating func cut() -> Lease? {
        guard let segment = segments.last else { return nil }
        let left = Int(segment.ledgers.upperBound - nextLedger) + 1
        // What is left is shared among the fetchers that could take a part, so that none stands idle at the end of a round.
        let share = (left + max(1, credits.count) - 1) / max(1, credits.count)
        let byBytes = bytesPerLedger.map { $0 > 0 ? max(1, window.batchBytes / $0) : batchLength } ?? Self.firstBatchLength
        let most = max(1, min(batchLength, share, byBytes))
        let length = most == left ? left : min(left, toEndOfFile(most: most, longest: byBytes))
        let last = nextLedger + UInt32(length - 1)
        let lease = Lease(nextLedger...last, segment.protocols)
        if last == segment.ledgers.upperBound {
            segments.removeLast()
            nextLedger = segments.last?.ledgers.lowerBound ?? 0
        } else {
            nextLedger = last + 1
        }
        return lease
    }

    // MARK: the leases in order

    private func index(of id: BatchID) -> Int? {
        guard let last = lastLedgers[id] else { return nil }
        let index = firstIndex(endingAtOrAfter: last)
        return index < leases.count && leases[index].id == id ? index : nil
    }

    private func firstIndex(endingAtOrAfter ledger: UInt32) -> Int {
        var low = 0
        var high = leases.count
        while low < high {
            let middle = (low + high) / 2
            if leases[middle].ledgers.upperBound < ledger { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func setState(_ state: State, at index: Int) {
        if leases[index].state == .waiting { waitingCount -= 1 }
        if state == .waiting { waitingCount += 1 }
        leases[index].state = state
    }

    /// The lease's fetcher, if it has one, has one batch less.
    private mutating func free(at index: Int) {
        guard case .leased(let worker) = leases[index].state else { return }
        lastLedgers[leases[index].id] = nil
        leases[index].id = 0
        let left = held[worker, default: 1] - 1
        held[worker] = left > 0 ? left : nil
    }

    /// What the writer does not have of it waits for a fetcher; what it has becomes a lease of its own, which is received.
    /// - Returns: the index of what waits.
    private mutating func takeBack(at index: Int) -> Int {
        free(at: index)
        setState(.waiting, at: index)
        leases[index].unknownBeats = 0
        let lease = leases[index]
        guard lease.receivedCount > 0, lease.receivedCount < lease.ledgers.count else {
            leases[index].receivedCount = 0
            return index
        }
        let rest = lease.ledgers.lowerBound + UInt32(lease.receivedCount)
        var front = Lease(lease.ledgers.lowerBound...(rest - 1), lease.protocols)
        front.receivedCount = lease.receivedCount
        front.state = .received
        leases[index].ledgers = rest...lease.ledgers.upperBound
        leases[index].receivedCount = 0
        leases.insert(front, at: index)
        return index + 1
    }

    private mutating func countFailure(at index: Int) -> Failure {
        leases[index].failures += 1
        return leases[index].failures >= maxFailures ? .giveUp(leases[index].ledgers) : .retry(failures: leases[index].failures)
    }

    /// A fetcher has died with this batch. One that it had alone is cut into pieces.
    /// - Returns: the ledger, where a single one has killed too many.
    private mutating func suspect(at index: Int) -> UInt32? {
        guard leases[index].isSuspect else {
            leases[index].isSuspect = true
            suspectCount += 1
            return nil
        }
        let lease = leases[index]
        guard lease.ledgers.count > 1 else {
            leases[index].crashes += 1
            return leases[index].crashes >= Self.maxCrashes ? lease.ledgers.lowerBound : nil
        }
        let length = UInt32((lease.ledgers.count + Self.pieces - 1) / Self.pieces)
        var last = lease.ledgers.upperBound
        leases[index].ledgers = lease.ledgers.lowerBound...(lease.ledgers.lowerBound + length - 1)
        while last > leases[index].ledgers.upperBound {
            let first = max(leases[index].ledgers.upperBound + 1, last - min(last, length - 1))
            var piece = Lease(first...last, lease.protocols)
            piece.isSuspect = true
            piece.failedOn = lease.failedOn
            leases.insert(piece, at: index + 1)
            waitingCount += 1
            suspectCount += 1
            last = first - 1
        }
        return nil
    }
}
