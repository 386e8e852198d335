import Pipeline
import Protocols

/// What is explored: how large the world is, what live ingestion is like, and which rule is broken on purpose.
struct ModelRules: Sendable {
    /// How live ingestion learns of history cursors.
    enum LiveIngestion: String, Sendable, CaseIterable {
        /// It notes which exist when it starts, and looks again only every `looksEvery` ledgers: the Go tool, with 2 in place of 100.
        case notesCursors
        /// It tries every protocol's cursor with every ledger: our own.
        case triesEveryCursor
    }

    /// A rule that is broken on purpose, to show that the exploration would notice.
    enum Flaw: String, Sendable, CaseIterable {
        /// A look at the tip reads the cursors first, and then asks whether live ingestion runs.
        case tipLookInTheWrongOrder
        /// A round reads the contracts in a transaction of its own, before the target and the cursors.
        case contractsReadBeforeTheTarget
        /// A run keeps the contracts of its first round.
        case contractsOfTheFirstRound
        /// The writer moves the cursors in one transaction and stores the rows in another.
        case rowsAfterTheCursor
        /// Being caught up is enough, although live ingestion runs.
        case convergenceBesideLiveIngestion
        /// A round's snapshot is read while the commit of a lost writer may still be under way.
        case noFence
        /// What was handed out to a writer is forgotten when it is lost: only its reports count.
        case attemptsForgotten
        /// A round begins where the reports say, not where the cursors in the database stand.
        case reportsBelievedOverCursors
        /// A round's target is the network's tip, one ledger past what live ingestion has stored.
        case targetPastTheLatestLedger
        /// Live ingestion moves cursors wherever they stand.
        case liveIngestionSwapsUnconditionally
        /// Live ingestion notes the cursors before it takes its lock.
        case cursorsNotedBeforeTheLock
        /// Convergence without a wait, though the last COMMIT of a dead live ingestion may still be under way.
        case noWait
        /// A run takes the cursor that it read at its beginning for all that was committed, though a writer of an earlier run may go on.
        case startBelieved
        /// A round goes on after a look has found the coordinator's session lost, and ends as if the server could not have crashed.
        case roundOutlivesItsSession
        /// After a crash of the server the cursor is expected where the last round began.
        case lostCommitsForgotten
    }

    /// The oldest ledger; the one before it is where a history cursor is created. Not 1, so that 0 can mean "no row".
    let oldest: UInt8 = 2
    /// The last ledger that the network ever closes.
    var newest: UInt8 = 4
    /// One or two.
    var protocolCount = 2
    var liveIngestion = LiveIngestion.notesCursors
    var looksEvery: UInt8 = 2
    /// The last COMMIT of a live ingestion whose lock is gone already may still take effect, though not after a whole wait: the Go tool
    /// has its lock and its transactions in different sessions. Our own has them in one, and then this cannot be.
    var lateCommits = false
    /// A writer that was given up, or has lost its coordinator, goes on committing what it has until the next writer's fence. Otherwise it only
    /// ends, or not, the transaction that it has under way.
    var orphansGoOn = true
    /// The server may crash and lose its last commits, of those that did not wait for the disk: the writer's. All others do, and what was committed
    /// before them is on the disk with them. After a whole wait everything is.
    var serverCrashes = false
    /// A migration may be started for one protocol alone; otherwise always for all that are not complete.
    var startsWithAny = false
    /// A protocol that is judged failed, though nobody meddled, is wrong. Without this only false successes and wrong rows are.
    var mindsFailures = true
    /// A protocol is marked complete without looking whether its cursor still stands where it stood: another flaw, which shows only with `noWait`.
    var recordsUnseen = false
    var flaw: Flaw?

    /// There is something that a wait has to outlast; otherwise the migration is as hasty as can be, and does not wait at all.
    var waits: Bool { (lateCommits || serverCrashes) && flaw != .noWait }

    func with(_ flaw: Flaw) -> ModelRules {
        var rules = self
        rules.flaw = flaw
        return rules
    }
}
