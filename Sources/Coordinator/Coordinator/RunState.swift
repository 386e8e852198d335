import Pipeline
import Protocols
import ZeroMQ

/// One epoch of work and what was reported of it.
struct Round: Sendable {
    /// A swap that did not find the cursor where the writer expected it.
    struct FailedSwap: Sendable {
        let id: ProtocolID
        let attempted: UInt32
        let found: String?
    }

    let epoch: Epoch
    let cursors: [ProtocolID: UInt32]
    let contracts: [ProtocolID: [String]]
    var board: BatchBoard
    var failedSwaps: [FailedSwap] = []
    /// Why the epoch cannot go on; another one may.
    var interrupted: String?
    /// Why the run cannot go on.
    var failure: String?

    /// There is something to decide beyond handing out work.
    var needsAttention: Bool { board.isComplete || !failedSwaps.isEmpty || interrupted != nil || failure != nil }
}

/// All that the coordinator knows while it runs.
struct RunState: Sendable {
    var roster = Roster<PeerID>()
    var writerReady = false
    var writerStopped = false
    var epoch: Epoch = 0
    var round: Round?
    /// The protocols that are still migrated, in the order given.
    var remaining: [ProtocolID]
    var outcomes: [ProtocolID: Outcome] = [:]
    /// Those of them whose status stands in the database.
    var recorded: Set<ProtocolID> = []
    /// A heartbeat interval has passed since the cursors were last looked after.
    var lookDue = false
    /// The last ledger that the writer reported, or the cursor that the run began with.
    var committed: [ProtocolID: UInt32]
    /// The lowest ledger at which the cursor may be found: below `committed` where the server may have lost its last commits.
    var floor: [ProtocolID: UInt32]
    /// Where the run began.
    let starts: [ProtocolID: UInt32]
    /// The highest target so far, which live ingestion had ingested; 0 where that is not known any more, since the server may have crashed.
    var target: UInt32 = 0
    /// The operator was told that `--network` is probably wrong.
    var toldDoubtOfTheName = false
    /// What was found at the tip, once all remaining protocols have been there.
    var tip: Tip?
    /// The highest ledger that may be committed without our knowing; before the first round, by a writer of an earlier run.
    var attempted: [ProtocolID: UInt32]
    var rows: [ProtocolID: Int] = [:]
    var ledgersCommitted = 0
    var fetched: [WorkerID: FetcherCounters] = [:]
    /// Workers that said why they cannot be run.
    var hopeless: String?

    /// The writer that no other one's commit can come after any more; nil while there is none.
    var readyWriter: WorkerID? { writerReady ? roster.writer?.id : nil }

    /// The outcomes that do not stand in the database yet.
    var unrecorded: (reached: [ProtocolID: UInt32], failed: [ProtocolID]) {
        let open = outcomes.filter { !recorded.contains($0.key) }
        return (open.compactMapValues(\.reached), open.filter { $0.value.reached == nil }.keys.sorted())
    }

    /// What a look at the tip found.
    struct Tip: Sendable {
        let ledger: UInt32
        let liveIngestionRuns: Bool
        /// Nil where the RPC does not tell.
        let networkTip: UInt32?
        let toldThatOnlyHandoffEnds: Bool
    }

    init(protocols: [ProtocolID], cursors: [ProtocolID: UInt32]) {
        remaining = protocols
        committed = cursors
        floor = cursors
        starts = cursors
        attempted = cursors.mapValues { _ in CursorVerdict.anythingAttempted }
    }
}
