package import Pipeline
package import StateChanges
package import StateChanges
package import Store

/// What a run of the coordinator's decisions is started with.
package struct MachineConfiguration: Hashable, Sendable {
    /// The run, in every message.
    package var run: RunID
    /// In the order given.
    package var protocols: [ProtocolID]
    /// Ledgers per batch at most.
    package var batchSize: Int
    /// Ledgers that the source gives as one.
    package var ledgersPerFile: Int
    /// Fetchers that will come; what is leased before they have is bounded by it.
    package var fetchers: Int
    /// The network that every source must be on.
    package var networkPassphrase: String
    /// The name that live ingestion was started with; nil: it is taken to run.
    package var network: String?
    /// How long no further ledger must come.
    package var convergenceWait: Duration
    /// Caught up for that long is enough.
    package var acceptConvergence: Bool
    /// The key of the latest ingested ledger, for messages.
    package var latestName: String
    /// The key of the oldest ledger that is kept, for the writer.
    package var oldestName: String
    /// What the writer does where rows go into compressed chunks.
    package var compressedChunks: CompressedChunks

    package init(
        run: RunID, protocols: [ProtocolID], batchSize: Int, ledgersPerFile: Int = 1, fetchers: Int, networkPassphrase: String,
        network: String?,
        convergenceWait: Duration, acceptConvergence: Bool, latestName: String, oldestName: String,
        compressedChunks: CompressedChunks = .auto
    ) {
        self.run = run
        self.protocols = protocols
        self.batchSize = batchSize
        self.ledgersPerFile = ledgersPerFile
        self.fetchers = fetchers
        self.networkPassphrase = networkPassphrase
        self.network = network
        self.convergenceWait = convergenceWait
        self.acceptConvergence = acceptConvergence
        self.latestName = latestName
        self.oldestName = oldestName
        self.compressedChunks = compressedChunks
    }
}

/// How a protocol left the migration.
package enum Outcome: Hashable, Sendable {
    /// Live ingestion took the cursor over.
    case handoff(at: UInt32)
    /// Caught up, and nobody else moves the cursor.
    case converged(at: UInt32)
    /// It cannot go on; the text says why.
    case failed(String)

    /// The ledger up to which its history is complete; nil where it failed.
    package var reached: UInt32? {
        switch self {
        case .handoff(let ledger), .converged(let ledger): ledger
        case .failed: nil
        }
    }

    /// The word for logs, metrics and the summary.
    package var word: String {
        switch self {
        case .handoff: "HANDOFF"
        case .converged: "CONVERGED"
        case .failed: "FAILED"
        }
    }
}

/// All that is known of one protocol's migration.
package struct ProtocolProgress: Hashable, Sendable {
    /// A swap that did not find the cursor where the writer expected it.
    package struct FailedSwap: Hashable, Sendable {
        package let attempted: UInt32
        let found: String?
    }

    /// The protocol.
    package let id: ProtocolID
    /// Where the run began, or where the cursor was swapped forward to since: that is on the disk, so it is not found before it even after a crash.
    package private(set) var start: UInt32
    /// The last ledger that the writer reported, or the cursor that the run began with.
    package internal(set) var committed: UInt32
    /// The lowest ledger at which the cursor may be found: below `committed` where the server may have lost its last commits.
    package internal(set) var floor: UInt32
    /// The highest ledger that may be committed without our knowing; before the first round, by a writer of an earlier run: any.
    package internal(set) var attempted: UInt32
    /// State changes committed by this run.
    package internal(set) var rows = 0
    /// Nil while it is migrated.
    package internal(set) var outcome: Outcome?
    /// The outcome stands in the database.
    package internal(set) var isRecorded = false
    /// What is still to be verified.
    package internal(set) var failedSwap: FailedSwap?
    /// Where the cursor is being swapped forward to; whether it was, is not known (yet).
    package private(set) var forward: UInt32?

    init(_ id: ProtocolID, start: UInt32) {
        self.id = id
        self.start = start
        committed = start
        floor = start
        attempted = CursorVerdict.anythingAttempted
    }

    /// The cursor was found here, and nothing is under way.
    mutating func stands(at ledger: UInt32) {
        committed = ledger
        floor = ledger
        attempted = ledger
        forward = nil
    }

    /// A swap forward of the cursor is asked for, which stands at `committed` until then.
    mutating func movesForward(to ledger: UInt32) {
        attempted = ledger
        forward = ledger
    }

    /// The cursor was swapped forward to here.
    mutating func movedForward(to ledger: UInt32) {
        start = ledger
        stands(at: ledger)
    }
}

/// What stops the whole run.
package enum StopCause: Error, Hashable, Sendable, CustomStringConvertible {
    /// A cause that lies in the work: the run fails.
    case failure(String)
    /// SIGINT or SIGTERM.
    case signal(name: String, exitCode: Int32)

    var isSignal: Bool { if case .signal = self { true } else { false } }

    package var description: String {
        switch self {
        case .failure(let cause): cause
        case .signal(let name, _): "received \(name)"
        }
    }
}

/// Everything that can happen to the coordinator.
package enum CoordinatorEvent<Peer: Hashable & Sendable>: Sendable {
    /// From a worker, or from somebody who claims to be one; nil: no message at all.
    case message(Peer, Envelope<WorkerContent>?)
    /// A process that the coordinator started has ended. `crashed`: not by its own will.
    case childExited(token: String, status: String, crashed: Bool)
    /// It died at once, several times in a row: starting it again does not help.
    case childGivenUp(role: WorkerRole, status: String)
    /// A heartbeat interval has passed.
    case tick
    /// The pause that was asked for is over.
    case wake
    /// The result of the question with this number.
    case result(QueryResult, number: Int)
    /// The run is to end.
    case stop(StopCause)
}

/// What the coordinator does.
package enum CoordinatorAction<Peer: Hashable & Sendable>: Hashable, Sendable {
    /// Send a message; what belongs to a reference to contracts goes with it.
    case send(CoordinatorContent, to: Peer, worker: WorkerID)
    /// Ask a question; its result is an event, with the same number.
    case ask(Query, number: Int)
    /// Nobody waits for the result of the question that was asked last.
    case cancelQuery
    /// Wait, then send `wake`.
    case wake(after: Duration)
    /// End the process that was started with this token.
    case kill(token: String)
    /// A process that the coordinator started has registered.
    case registered(token: String)
    /// A fetcher process has reported its counters.
    case counted(worker: WorkerID, instance: String, FetcherCounters)
    /// The writer has reported what it holds.
    case holds(ReorderLoad)
    /// Something for the log and the metrics.
    case notice(Notice)
    /// The run is over; nil: every protocol has an outcome.
    case finish(StopCause?)
}

/// A question to the database or to the source of ledgers.
package enum Query: Hashable, Sendable {
    /// Target, cursors and tracked contracts, in one snapshot.
    case round([ProtocolID])
    /// Target and cursors, in one snapshot.
    case cursors([ProtocolID])
    /// Whether a session holds live ingestion's lock.
    case liveIngestion(network: String)
    /// The network's latest ledger: for the operator, it decides nothing.
    case networkTip
    /// Swap these cursors forward, where they stand where they are believed to be.
    case moveForward(from: [ProtocolID: UInt32], to: UInt32)
    /// Set statuses, while others go on.
    case record(reached: [ProtocolID: UInt32], failed: [ProtocolID])
    /// Set statuses at the end of the run. `isUrgent`: a signal ends it, there are only seconds.
    case recordAtEnd(reached: [ProtocolID: UInt32], failed: [ProtocolID], isUrgent: Bool)
    /// Connect anew and take the migration locks again. Only when no commit can be under way.
    case restoreLocks
}

/// What came of a question.
package enum QueryResult: Hashable, Sendable {
    case snapshot(Snapshot)
    case liveIngestion(runs: Bool)
    /// Nil: the source does not tell.
    case networkTip(UInt32?)
    /// The protocols that were marked complete; the cursors of the others do not stand where they stood.
    case recorded(Set<ProtocolID>)
    /// The protocols whose cursors were swapped forward; those of the others do not stand where they were believed to be.
    case movedForward(Set<ProtocolID>)
    case locksRestored
    /// The session is gone, and the migration locks with it.
    case sessionLost(String)
    /// There is no response to the question.
    case failed(String)
}

/// What the database says at one moment.
package struct Snapshot: Hashable, Sendable {
    /// `latest_ingest_ledger`.
    package var latest: CursorReading
    /// `oldest_ingest_ledger`.
    package var oldest: CursorReading
    /// The history cursors.
    package var cursors: [ProtocolID: CursorReading]
    /// The tracked contracts, where they were asked for.
    package var contracts: ContractsName?

    package init(latest: CursorReading, oldest: CursorReading, cursors: [ProtocolID: CursorReading], contracts: ContractsName? = nil) {
        self.latest = latest
        self.oldest = oldest
        self.cursors = cursors
        self.contracts = contracts
    }

    func reading(_ id: ProtocolID) -> CursorReading { cursors[id] ?? .missing }

    /// 0 where there is none: no cursor is equal to that and past ours.
    var latestLedger: UInt32 { if case .ledger(let ledger) = latest { ledger } else { 0 } }

    /// The lowest ledger at which a history cursor is of use: the one before the oldest that is kept. Not past the latest ingested ledger, where
    /// retention is ahead of live ingestion: that one has to find the cursor at its own ledger. 0 where the oldest ledger is not known.
    package var lowestCursor: UInt32 {
        guard case .ledger(let oldest) = oldest, oldest > 0 else { return 0 }
        return min(oldest - 1, latestLedger)
    }
}

/// A set of tracked contracts by its name.
package struct ContractsName: Hashable, Sendable {
    /// `ContractSet.digest`.
    package var digest: String
    /// The set that it has merely been added to; nil where that cannot be said.
    package var base: String?
    /// How many contracts each protocol has.
    package var counts: [ProtocolID: Int]

    package init(digest: String, base: String?, counts: [ProtocolID: Int]) {
        self.digest = digest
        self.base = base
        self.counts = counts
    }
}

// MARK: states of the machine

/// What the coordinator is doing.
package enum Phase: Hashable, Sendable {
    /// For one that is alone at the database: then a snapshot is asked for.
    case waitingForWriter
    /// The snapshot is judged; outcomes are recorded before work begins.
    case planning(Plan)
    case round(Round)
    case tip(TipStep)
    /// Until no commit is under way any more.
    case halting(Halt)
    case restoringLocks
    case stopping(Stop)
    case recordingAtEnd(StopCause?)
    case ended(StopCause?)
}

/// What a question is for.
package enum Pending: Hashable, Sendable {
    /// Only for the writer that was ready when it was asked: a snapshot counts for nobody who came later.
    case roundSnapshot(writer: WorkerID)
    /// A look at the cursors while a round runs; what had been committed when it was asked.
    case look(asked: [ProtocolID: UInt32])
    case verification
    case tipLock(asked: Duration)
    case tipCursors(TipLook)
    case networkTip
    case record
    case moveForward
    case restore
    case recordAtEnd
}

/// Why a round is left before its end.
package enum Halt: Hashable, Sendable {
    case readAgain
    case sessionLost
}

/// The end of a run before its protocols' ends.
package struct Stop: Hashable, Sendable {
    package let cause: StopCause
    /// Heartbeat intervals that the writer still has for its transaction.
    package var ticks: Int
}

/// What a snapshot lets us begin.
package struct Plan: Hashable, Sendable {
    package let target: UInt32
    /// Cursors below it are swapped forward to it first.
    package let lowestCursor: UInt32
    package let writer: WorkerID
}

/// A round of work and what was reported of it.
package struct Round: Hashable, Sendable {
    package let number: RoundNumber
    package let target: UInt32
    let ledgerCount: Int
    package var leases: LeaseTable
    /// A heartbeat interval has passed since the cursors were last looked at.
    package var lookIsDue = false
    /// Ledgers that it still has to do are no longer kept: it ends, and the next one begins after them.
    package var isOvertaken = false
    /// Why the round cannot go on; another one may.
    package var interrupted: String?
    /// Why the run cannot go on.
    package var failure: String?
}

/// What is known of the writer that is registered.
package struct WriterStatus: Hashable, Sendable {
    package var isReady = false
    /// The last round of which it has said that nothing is under way any more.
    var stoppedRound: RoundNumber?

    package func hasStopped(round: RoundNumber) -> Bool { stoppedRound == round }
}

/// What keeps rounds from getting on.
struct Trouble: Hashable, Sendable {
    var cause: String
    /// Heartbeat intervals since it began, without any commit.
    var ticks = 0
}

/// Where a look at the tip stands. A look has two parts, in this order: does live ingestion hold its lock, and then a snapshot of the cursors.
package enum TipStep: Hashable, Sendable {
    case toAsk
    case lockKnown(runs: Bool, asked: Duration)
    case tipToAsk(TipLook)
    case pausing
}

/// The first part of a look, and when it was asked.
package struct TipLook: Hashable, Sendable {
    package let runs: Bool
    package let asked: Duration
    package var moved = false
}

/// The wait at the tip.
package struct Tip: Hashable, Sendable {
    package let ledger: UInt32
    package var detector: ConvergenceDetector
    /// Looks since the source of ledgers was last asked for its tip.
    var looks = 0
    /// Until the first look it may have.
    var ranAtLastLook = true
    var networkTip: UInt32?
    var hasSaidThatOnlyHandoffEnds = false
}
