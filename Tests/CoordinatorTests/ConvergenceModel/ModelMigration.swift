/// The coordinator's side of a migration: what `RunState` and `Migration` keep in memory, all of it gone when the coordinator is killed.
struct ModelMigration: Hashable, Sendable {
    enum Phase: UInt8, Hashable, Sendable {
        case notRunning, waitsForTheWriter, inRound, atTheTip
        /// A look at the tip is half done.
        case lockAsked, cursorsRead
        case setsSuccess, setsFailed
    }

    var phase = Phase.notRunning
    var remaining: ProtocolSet = []
    /// Handed off or converged: `success` is due.
    var succeeded: ProtocolSet = []
    /// Where the cursors of those stood.
    var reached = PerProtocol<UInt8>(0)
    /// Stopped before their end: `failed` is due.
    var stopped: ProtocolSet = []
    /// Judged foreign or failed, which must never be.
    var judgedFailed: ProtocolSet = []

    // `RunState`
    var committed = PerProtocol<UInt8>(0)
    var floor = PerProtocol<UInt8>(0)
    var attempted = PerProtocol<UInt8>(0)
    var starts = PerProtocol<UInt8>(0)

    /// The connection is gone and will be made anew with the next question: the server may have crashed.
    var isCutOff = false

    /// Of the round, or of the wait at the tip.
    var target: UInt8 = 0
    /// Only where contracts are read apart from the target, or kept: the ledger up to which they are known.
    var contracts: UInt8 = 0
    /// Ends of the groups whose reports are on their way, one bit per ledger; they come in this order.
    var swappedReports = PerProtocol<UInt8>(0)
    var refusedReports = PerProtocol<UInt8>(0)
    /// Failed swaps to be verified: the ledger that was attempted.
    var failedSwaps = PerProtocol<UInt8>(0)

    /// A look during the round that was answered and not judged yet: the latest ledger, 0 where there is none, and the cursors.
    var lookLatest: UInt8 = 0
    var lookCursors = PerProtocol<UInt8>(0)

    /// At the tip: the answer to the first half of a look; since when live ingestion has not been seen; whether a whole wait has passed since.
    var firstHalf = false
    var isQuiet = false
    var hasWaited = false

    var atTip: Bool { phase == .atTheTip || phase == .lockAsked || phase == .cursorsRead }
}

extension ConvergenceModel {
    func migrationSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        switch state.migration.phase {
        case .notRunning: return beginnings(state, emit)
        case .waitsForTheWriter: roundBeginnings(state, emit)
        case .inRound: roundSteps(state, emit)
        case .atTheTip, .lockAsked, .cursorsRead: tipSteps(state, emit)
        case .setsSuccess, .setsFailed: completion(state, emit)
        }
        emit(
            .coordinatorKilled,
            state.changed {
                orphaned(&$0)
                $0.migration = ModelMigration()
            })
        guard !state.migration.remaining.isEmpty else { return }
        emit(
            .migrationStopped,
            state.changed {
                $0.migration.stopped = $0.migration.remaining
                $0.migration.remaining = []
                complete(&$0)
            })
        if !state.migration.succeeded.isEmpty { recording(state, emit) }
        if state.writer.isReady { emit(.writerLost, state.changed(loseWriter)) }
    }

    // MARK: phases 1 and 3

    /// Phase 1 waits for the rows of cursors that are about to be moved.
    private func beginnings(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        guard state.database.latest >= rules.oldest else { return }
        let incomplete = all.members { state.database.statuses[$0] != .success }
        let choices = rules.startsWithAny ? [[0], [1], incomplete] : [incomplete]
        for choice in choices where !choice.isEmpty && choice.isSubset(of: incomplete) {
            guard !state.lockedByLiveIngestion(choice), !state.lockedByWriters(choice) else { continue }
            var after = state
            for index in choice {
                after.database.statuses[index] = .inProgress
                let start = max(after.database.cursors[index], rules.oldest - 1)
                after.database.cursors[index] = start
                after.migration.committed[index] = start
                after.migration.floor[index] = start
                after.migration.attempted[index] = rules.flaw == .startBelieved ? start : .max
                after.migration.starts[index] = start
            }
            after.migration.remaining = choice
            after.migration.phase = .waitsForTheWriter
            committedToDisk(&after)
            emit(.migrationBegins(choice), after)
        }
    }

    /// No protocol remains, or the migration is stopped: statuses are all that is left to do.
    func complete(_ state: inout ModelState) {
        orphaned(&state)
        var ended = ModelMigration()
        ended.succeeded = state.migration.succeeded
        ended.reached = state.migration.reached
        ended.stopped = state.migration.stopped
        ended.judgedFailed = state.migration.judgedFailed
        if !ended.stopped.union(ended.judgedFailed).isEmpty { ended.phase = .setsFailed }
        if !ended.succeeded.isEmpty { ended.phase = .setsSuccess }
        ended.isCutOff = ended.phase != .notRunning && state.migration.isCutOff
        state.migration = ended
    }

    /// What has been reached is recorded while the rest goes on, at once or later. A protocol whose cursor does not stand there any more, since the
    /// server has crashed, goes on, and so ends the round.
    private func recording(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        var after = state
        let complete = markComplete(&after)
        for index in state.migration.succeeded.subtracting(complete) {
            after.migration.remaining.insert(index)
            after.migration.floor[index] = after.migration.starts[index]
            after.migration.isCutOff = true
        }
        if after.migration.isCutOff, after.migration.phase != .waitsForTheWriter {
            reconnect(&after)
            leaveRound(&after)
        }
        emit(.statusesSet(.success, complete), after)
    }

    /// Sets the status of those whose cursors stand where they stood. The commit waits for the disk, and so does whatever came before it.
    private func markComplete(_ state: inout ModelState) -> ProtocolSet {
        let complete = state.migration.succeeded.members { index in
            rules.recordsUnseen || state.database.cursors[index] >= state.migration.reached[index]
        }
        committedToDisk(&state)
        for index in complete { state.database.statuses[index] = .success }
        state.migration.succeeded = []
        state.migration.reached = .init(0)
        return complete
    }

    private func completion(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        var after = state
        committedToDisk(&after)
        let failed = state.migration.stopped.union(state.migration.judgedFailed)
        if state.migration.phase == .setsSuccess {
            let complete = markComplete(&after)
            after.migration.stopped = state.migration.stopped.union(state.migration.succeeded.subtracting(complete))
            after.migration.phase = .setsFailed
            if failed.isEmpty, after.migration.stopped.isEmpty { after.migration = ModelMigration() }
            emit(.statusesSet(.success, complete), after)
        } else {
            for index in failed { after.database.statuses[index] = .failed }
            after.migration = ModelMigration()
            emit(.statusesSet(.failed, failed), after)
        }
    }
}
