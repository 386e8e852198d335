/// Live ingestion: at most one at a time. Each ledger is one transaction; a swap that succeeds keeps the cursor's row locked to its end.
struct ModelLiveIngestion: Hashable, Sendable {
    enum Phase: UInt8, Hashable, Sendable { case off, starting, follows }

    /// A transaction whose process is dead and whose COMMIT may be on its way.
    enum LateCommit: UInt8, Hashable, Sendable {
        case none, underWay
        /// It was under way already when the migration's wait began, and so ends before that does.
        case olderThanTheWait
    }

    var phase = Phase.off
    /// The protocols whose cursors it knows.
    var known: ProtocolSet = []
    /// Ledgers since it looked for cursors.
    var sinceLook: UInt8 = 0
    /// Protocols whose swaps the open transaction has tried, and those where they succeeded.
    var tried: ProtocolSet = []
    var swapped: ProtocolSet = []
    var late = LateCommit.none
}

extension ConvergenceModel {
    func liveIngestionSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        if state.live.late != .none { lateCommitSteps(state, emit) }
        if state.live.phase != .off { ending(state, emit) }
        let notesFirst = rules.flaw == .cursorsNotedBeforeTheLock
        switch state.live.phase {
        case .off:
            if !notesFirst {
                emit(.liveTakesItsLock, state.changed { $0.live.phase = .starting })
            } else {
                noting(state, .starting, emit)
            }
        case .starting:
            if !notesFirst {
                noting(state, .follows, emit)
            } else {
                emit(.liveTakesItsLock, state.changed { $0.live.phase = .follows })
            }
        case .follows:
            // The row of the latest ledger is locked by whatever is late.
            guard state.database.latest < rules.newest, state.live.late == .none else { return }
            if rules.liveIngestion == .notesCursors, state.live.sinceLook == rules.looksEvery {
                noting(state, .follows, emit)
            } else {
                transaction(state, emit)
            }
        }
    }

    /// Whether a look for live ingestion's lock finds it.
    func holdsItsLock(_ live: ModelLiveIngestion) -> Bool {
        live.phase == .follows || live.phase == .starting && rules.flaw != .cursorsNotedBeforeTheLock
    }

    private func noting(_ state: ModelState, _ next: ModelLiveIngestion.Phase, _ emit: (ModelStep, ModelState) -> Void) {
        var after = state
        switch rules.liveIngestion {
        case .triesEveryCursor: after.live.known = all
        case .notesCursors: after.live.known = all.members { state.database.cursors[$0] != 0 }
        }
        after.live.phase = next
        after.live.sinceLook = 0
        emit(.liveNotesCursors(after.live.known), after)
    }

    private func transaction(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        guard let index = state.live.known.subtracting(state.live.tried).first else {
            let swapped = state.live.swapped
            var after = state.changed { commitLedger(&$0) }
            if rules.liveIngestion == .notesCursors { after.live.sinceLook += 1 }
            return emit(.liveCommits(after.database.latest, swapped), after)
        }
        // A locked row is waited for, and then read as it is committed.
        guard !state.lockedByWriters([index]) else { return }
        let succeeds =
            state.database.cursors[index] == state.database.latest
            || rules.flaw == .liveIngestionSwapsUnconditionally && state.database.cursors[index] != 0
        var after = state
        after.live.tried.insert(index)
        // A refused swap locks nothing: the cursor may be moved before this transaction commits.
        if succeeds { after.live.swapped.insert(index) }
        emit(.liveSwaps(index, succeeded: succeeds), after)
    }

    private func commitLedger(_ state: inout ModelState) {
        let ledger = state.database.latest + 1
        state.database.latest = ledger
        for index in state.live.swapped {
            state.database.cursors[index] = ledger
            state.database.store(index, ledger...ledger, contracts: ledger, oldest: rules.oldest)
        }
        committedToDisk(&state)
        state.live.tried = []
        state.live.swapped = []
    }

    /// It stops or crashes: its lock is gone at once, and so is its open transaction, unless COMMIT was sent.
    private func ending(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        let late = state.live.late
        var after = state
        after.live = ModelLiveIngestion()
        if late != .none {
            after.live.swapped = state.live.swapped
            after.live.late = late
        }
        emit(.liveEnds(commitUnderWay: false), after)
        guard rules.lateCommits, late == .none, state.live.phase == .follows, state.database.latest < rules.newest,
            state.live.known.isSubset(of: state.live.tried),
            rules.liveIngestion != .notesCursors || state.live.sinceLook < rules.looksEvery
        else { return }
        after.live.swapped = state.live.swapped
        after.live.late = .underWay
        emit(.liveEnds(commitUnderWay: true), after)
    }

    private func lateCommitSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        var after = state
        after.live.late = .none
        let swapped = after.live.swapped
        emit(.lateCommitIsLost, after.changed { $0.live.swapped = [] })
        commitLedger(&after)
        emit(.lateCommitLands(after.database.latest, swapped), after)
    }
}

extension ModelState {
    func changed(_ change: (inout ModelState) -> Void) -> ModelState {
        var after = self
        change(&after)
        return after
    }
}
