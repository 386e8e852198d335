import StateChanges

/// What is explored: how large the world is, what can happen in it, and which promise is broken on purpose.
struct ModelRules: Sendable {
    /// How live ingestion learns of history cursors.
    enum LiveIngestion: String, Sendable, CaseIterable {
        /// It notes which exist when it starts, and looks again only every `looksEvery` ledgers: the Go tool, with 2 in place of 100.
        case notesCursors
        /// It tries every protocol's cursor with every ledger: our own.
        case triesEveryCursor
    }

    /// A promise to the coordinator that is broken on purpose, to show that the exploration would notice.
    enum Flaw: String, Sendable, CaseIterable {
        /// A round's contracts are read in a transaction of their own, before target and cursors.
        case contractsReadBeforeTheTarget
        /// A fetcher keeps the contracts of its first round.
        case contractsOfTheFirstRound
        /// The writer moves the cursors in one transaction and stores the rows in another.
        case rowsAfterTheCursor
        /// The writer reports what it has not committed yet.
        case reportBeforeTheCommit
        /// A writer is ready though the commit of an earlier one may still be under way.
        case noFence
        /// A writer takes the lock of its first protocol only.
        case fenceOfTheFirstProtocolOnly
        /// A writer that is told to halt says that it has stopped, and commits on.
        case stopsInNameOnly
        /// A snapshot's latest ledger is the network's tip, one past what live ingestion has stored.
        case targetPastTheLatestLedger
        /// Live ingestion moves cursors wherever they stand.
        case liveIngestionSwapsUnconditionally
        /// Live ingestion notes the cursors before it takes its lock.
        case cursorsNotedBeforeTheLock
        /// Being caught up is enough, although live ingestion runs.
        case convergenceBesideLiveIngestion
        /// Convergence without a wait, though the last COMMIT of a dead live ingestion may still be under way.
        case noWait
        /// The writer does not look whether its ledgers are still kept.
        case rowsBelowTheOldest
        /// A session that was lost is replaced by a new one, and nobody is told.
        case sessionReplacedInSilence
    }

    /// The first ledger, the oldest one until retention moves; the one before is where a history cursor is created. Not 1, so that 0 can mean "no row".
    let first: UInt8 = 2
    /// The last ledger that the network ever closes.
    var newest: UInt8 = 4
    /// One or two.
    var protocolCount = 1
    var liveIngestion = LiveIngestion.notesCursors
    var looksEvery: UInt8 = 2
    /// A migration may be started for one protocol alone; otherwise always for all that are not complete.
    var startsWithAny = false
    /// The last COMMIT of a live ingestion whose lock is gone already may still take effect, though not after a whole wait: the Go tool
    /// has its lock and its transactions in different sessions. Our own has them in one, and then this cannot be.
    var lateCommits = false
    /// The server may crash and lose its last commits, of those that did not wait for the disk: the writer's. All others do, and what was committed
    /// before them is on the disk with them. After a whole wait everything is.
    var serverCrashes = false
    /// The coordinator's session may end by itself, and its locks with it.
    var sessionsBreak = false
    /// Processes may be killed at any moment, and the coordinator may be told to stop.
    var processesEnd = true
    /// Connections between living processes break, and what is under way on them is lost.
    var connectionsBreak = false
    /// The fetcher may die; otherwise it lives as long as its coordinator.
    var fetchersDie = false
    /// A second migration is started as soon as the locks are free.
    var twoCoordinators = false
    /// How often a hand moves a cursor.
    var hands: UInt8 = 0
    /// How often retention moves on: ledgers are dropped, as far as to all that live ingestion has stored.
    var retentions: UInt8 = 0
    /// How many of all faults may happen; nil: as many as there are.
    var faults: UInt8?
    /// That a protocol or the run fails, though nobody meddled, is wrong.
    var mindsFailures = true
    /// A protocol is marked complete without a look whether its cursor still stands where it stood: another flaw, which shows only with `noWait`.
    var recordsUnseen = false
    var flaw: Flaw?

    /// There is something that a wait has to outlast; otherwise the migration is as hasty as can be, and does not wait at all.
    var waits: Bool { (lateCommits || serverCrashes) && flaw != .noWait }

    var all: ProtocolSet { protocolCount == 1 ? [0] : [0, 1] }

    func with(_ flaw: Flaw) -> ModelRules {
        var rules = self
        rules.flaw = flaw
        return rules
    }
}
