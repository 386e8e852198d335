public import Protocols

/// Who works on what in one round: cuts batches from the plan on demand, leases them to fetchers that asked for work, takes them back from
/// fetchers that died or failed, and keeps what is given out within the window. A pure state machine: it sends nothing and knows no clock.
///
///     planned --assign--> leased --received--> received --committed--> (gone)
///                ^           |                     |
///                +-----------+---------------------+   fetcher lost, batch failed or refused by the writer
public struct BatchBoard: Sendable {
    /// A batch given to a worker.
    public struct Assignment: Sendable, Equatable {
        /// Who gets it.
        public let worker: WorkerID
        /// What it gets.
        public let batch: Batch

        /// An assignment.
        public init(worker: WorkerID, batch: Batch) {
            self.worker = worker
            self.batch = batch
        }
    }

    /// What follows from a failed batch.
    public enum Failure: Sendable, Equatable {
        /// It goes to a fetcher again, preferably another one; the number counts the failures so far.
        case retry(failures: Int)
        /// It failed too often: the run ends.
        case giveUp(Batch)
        /// Nobody waits for this batch any more.
        case stale
    }

    private enum State: Equatable {
        case waiting
        case leased(WorkerID)
        case received(bytes: Int)
    }

    private struct Entry {
        let batch: Batch
        var state: State
        var failures = 0
        var failedOn: WorkerID?
        var unknownBeats = 0
    }

    /// Rows may be long on their way from a fetcher to the writer, and neither knows of the batch meanwhile.
    private static let lostAfterBeats = 30

    private var segments: ArraySlice<RoundPlan.Segment>
    private var nextLedger: UInt32
    private var nextID: BatchID = 1
    private var entries: [BatchID: Entry] = [:]
    private var credits: [WorkerID: Int] = [:]
    private var bytesPerLedger = 0.0
    private let batchLength: Int
    private let maxFailures: Int

    /// The bound on what is given out; may be changed as fetchers come and go.
    public var window: Window
    /// The last ledger that was ever given out in this round, 0 before the first.
    public private(set) var handedOut: UInt32 = 0
    /// Ledgers committed in this round.
    public private(set) var committedLedgers = 0

    /// A board for a plan.
    /// - Parameters:
    ///   - batchLength: ledgers per batch at most, at least 1.
    ///   - maxFailures: a batch that failed this often ends the run.
    public init(plan: RoundPlan, batchLength: Int, window: Window, maxFailures: Int = 5) {
        segments = plan.segments[...]
        nextLedger = plan.segments.first?.ledgers.lowerBound ?? 0
        self.batchLength = max(1, batchLength)
        self.window = window
        self.maxFailures = maxFailures
    }

    /// Everything planned is committed (or no longer wanted).
    public var isComplete: Bool { segments.isEmpty && entries.isEmpty }

    /// Batches given out or received, not committed.
    public var outstanding: Int { entries.count }

    /// Bytes of rows that the writer holds.
    public var receivedBytes: Int {
        entries.values.reduce(0) { if case .received(let bytes) = $1.state { $0 + bytes } else { $0 } }
    }

    /// A fetcher asks for that many batches more.
    public mutating func grant(_ count: Int, to worker: WorkerID) {
        credits[worker] = min(1000, credits[worker, default: 0] + max(0, min(1000, count)))
    }

    /// A fetcher is gone: its credits lapse and what it worked on waits for another one.
    /// - Returns: the batches taken back.
    public mutating func lost(_ worker: WorkerID) -> [Batch] {
        credits[worker] = nil
        return takeBack { $0 == .leased(worker) }
    }

    /// The writer has all rows of the batch; a batch that was leased anew meanwhile is accepted all the same, the rows are equal.
    public mutating func received(_ id: BatchID, bytes: Int) {
        guard var entry = entries[id] else { return }
        let bytes = max(0, min(bytes, 1 << 40))
        entry.state = .received(bytes: bytes)
        entries[id] = entry
        let perLedger = Double(bytes) / Double(entry.batch.ledgers.count)
        bytesPerLedger = max(perLedger, bytesPerLedger * 0.8 + perLedger * 0.2)
    }

    /// Ledgers up to this one are in the database.
    public mutating func committed(through ledger: UInt32) {
        for (id, entry) in entries where entry.batch.ledgers.upperBound <= ledger {
            committedLedgers += entry.batch.ledgers.count
            entries[id] = nil
        }
    }

    /// A fetcher could not do the batch, or the writer refused what it delivered.
    public mutating func failed(_ id: BatchID, on worker: WorkerID?) -> Failure {
        guard var entry = entries[id] else { return .stale }
        if let worker, case .leased(let holder) = entry.state, holder != worker { return .stale }
        entry.failures += 1
        if case .leased(let holder) = entry.state { entry.failedOn = holder }
        entry.state = .waiting
        entries[id] = entry
        return entry.failures >= maxFailures ? .giveUp(entry.batch) : .retry(failures: entry.failures)
    }

    /// A fetcher says, with every heartbeat, which batches it holds. A lease that it does not know of for many heartbeats on end, and
    /// that the writer never received, was lost on its way.
    /// - Returns: the batches taken back.
    public mutating func heartbeat(of worker: WorkerID, holding: Set<BatchID>) -> [Batch] {
        var lost: [Batch] = []
        for (id, entry) in entries where entry.state == .leased(worker) {
            let beats = holding.contains(id) ? 0 : entry.unknownBeats + 1
            entries[id]?.unknownBeats = beats
            guard beats >= Self.lostAfterBeats else { continue }
            entries[id]?.unknownBeats = 0
            entries[id]?.state = .waiting
            lost.append(entry.batch)
        }
        return lost.sorted { $0.id < $1.id }
    }

    /// A protocol left the migration: what is not given out yet leaves it out, and ends where no other protocol needs it.
    public mutating func drop(_ protocolID: ProtocolID) {
        let first = segments.first?.ledgers.lowerBound
        segments =
            segments.map { segment in
                RoundPlan.Segment(ledgers: segment.ledgers, protocols: segment.protocols.filter { $0 != protocolID })
            }.filter { !$0.protocols.isEmpty }[...]
        if let start = segments.first?.ledgers.lowerBound, start != first { nextLedger = start }
        for (id, entry) in entries where entry.batch.protocols.contains(protocolID) {
            let rest = entry.batch.protocols.filter { $0 != protocolID }
            entries[id] =
                rest.isEmpty ? nil : Entry(batch: Batch(id: id, ledgers: entry.batch.ledgers, protocols: rest), state: entry.state)
        }
    }

    /// Leases out as much as credits and window allow: first what was taken back, lowest ledgers first, then new batches.
    public mutating func assignments() -> [Assignment] {
        var made: [Assignment] = []
        let waiting = entries.filter { $0.value.state == .waiting }.map(\.key).sorted()
        for id in waiting {
            guard let worker = worker(avoiding: entries[id]?.failedOn), let batch = entries[id]?.batch else { break }
            made.append(lease(batch, to: worker))
        }
        while entries.count < window.batches, receivedBytes < window.receivedBytes, !segments.isEmpty,
            let worker = worker(avoiding: nil), let batch = cut()
        {
            entries[batch.id] = Entry(batch: batch, state: .waiting)
            made.append(lease(batch, to: worker))
        }
        return made
    }

    private mutating func lease(_ batch: Batch, to worker: WorkerID) -> Assignment {
        credits[worker, default: 1] -= 1
        entries[batch.id]?.state = .leased(worker)
        entries[batch.id]?.unknownBeats = 0
        handedOut = max(handedOut, batch.ledgers.upperBound)
        return Assignment(worker: worker, batch: batch)
    }

    /// The fetcher with the most credit, another one than that on which the batch failed where there is a choice.
    private func worker(avoiding avoided: WorkerID?) -> WorkerID? {
        let ready = credits.filter { $0.value > 0 }
        let preferred = ready.filter { $0.key != avoided }
        return (preferred.isEmpty ? ready : preferred).max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    }

    private mutating func cut() -> Batch? {
        guard let segment = segments.first else { return nil }
        let left = Int(segment.ledgers.upperBound - nextLedger) + 1
        // What is left is shared among the fetchers that could take a part, so that none stands idle at the end of a round.
        let share = (left + max(1, credits.count) - 1) / max(1, credits.count)
        let byBytes = bytesPerLedger > 0 ? Int(Double(window.batchBytes) / bytesPerLedger) : batchLength
        let length = max(1, min(batchLength, share, byBytes))
        let last = nextLedger + UInt32(length) - 1
        let batch = Batch(id: nextID, ledgers: nextLedger...last, protocols: segment.protocols)
        nextID += 1
        if last == segment.ledgers.upperBound {
            segments = segments.dropFirst()
            nextLedger = segments.first?.ledgers.lowerBound ?? 0
        } else {
            nextLedger = last + 1
        }
        return batch
    }

    private mutating func takeBack(_ matches: (State) -> Bool) -> [Batch] {
        let taken = entries.filter { matches($0.value.state) }
        for id in taken.keys { entries[id]?.state = .waiting }
        return taken.values.map(\.batch).sorted { $0.id < $1.id }
    }
}
