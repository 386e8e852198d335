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

extension ModelWorld {
    func liveIngestionSteps(_ rules: ModelRules, _ emit: Emit) {
        if live.late != .none { lateCommitSteps(rules, emit) }
        if live.phase != .off { liveIngestionEnds(rules, emit) }
        let notesFirst = rules.flaw == .cursorsNotedBeforeTheLock
        switch live.phase {
        case .off:
            if notesFirst { noting(.starting, rules, emit) } else { emit(.liveTakesItsLock, changed { $0.live.phase = .starting }) }
        case .starting:
            if notesFirst { emit(.liveTakesItsLock, changed { $0.live.phase = .follows }) } else { noting(.follows, rules, emit) }
        case .follows:
            // The row of the latest ledger is locked by whatever is late.
            guard database.latest < rules.newest, live.late == .none else { return }
            if rules.liveIngestion == .notesCursors, live.sinceLook == rules.looksEvery {
                noting(.follows, rules, emit)
            } else {
                liveTransaction(rules, emit)
            }
        }
    }

    /// Whether a look for live ingestion's lock finds it.
    func liveIngestionHoldsItsLock(_ rules: ModelRules) -> Bool {
        live.phase == .follows || live.phase == .starting && rules.flaw != .cursorsNotedBeforeTheLock
    }

    private func noting(_ next: ModelLiveIngestion.Phase, _ rules: ModelRules, _ emit: Emit) {
        var after = self
        switch rules.liveIngestion {
        case .triesEveryCursor: after.live.known = rules.all
        case .notesCursors: after.live.known = rules.all.members { database.cursors[$0] != 0 }
        }
        after.live.phase = next
        after.live.sinceLook = 0
        emit(.liveNotesCursors(after.live.known), after)
    }

    private func liveTransaction(_ rules: ModelRules, _ emit: Emit) {
        guard let index = live.known.subtracting(live.tried).first else {
            let swapped = live.swapped
            var after = self
            after.commitLedger(rules)
            if rules.liveIngestion == .notesCursors, after.live.phase == .follows { after.live.sinceLook += 1 }
            return emit(.liveCommits(after.database.latest, swapped), after)
        }
        // A locked row is waited for, and then read as it is committed.
        guard !isLockedByWriters([index]) else { return }
        let succeeds =
            database.cursors[index] == database.latest || rules.flaw == .liveIngestionSwapsUnconditionally && database.cursors[index] != 0
        var after = self
        after.live.tried.insert(index)
        // A refused swap locks nothing: the cursor may be moved before this transaction commits.
        if succeeds { after.live.swapped.insert(index) }
        emit(.liveSwaps(index, succeeded: succeeds), after)
    }

    private mutating func commitLedger(_ rules: ModelRules) {
        let ledger = database.latest + 1
        if live.swapped.contains(where: { meddling[$0] != .none && database.holdsAny($0, ledger...ledger, first: rules.first) }) {
            // The primary key refuses the rows, and live ingestion ends.
            live = ModelLiveIngestion()
            return
        }
        database.latest = ledger
        for index in live.swapped {
            database.cursors[index] = ledger
            database.store(index, ledger...ledger, contracts: ledger, first: rules.first)
        }
        committedToDisk(rules)
        live.tried = []
        live.swapped = []
    }

    /// It stops or crashes: its lock is gone at once, and so is its open transaction, unless COMMIT was sent.
    private func liveIngestionEnds(_ rules: ModelRules, _ emit: Emit) {
        let late = live.late
        var after = self
        after.live = ModelLiveIngestion()
        if late != .none {
            after.live.swapped = live.swapped
            after.live.late = late
        }
        emit(.liveEnds(commitUnderWay: false), after)
        guard rules.lateCommits, late == .none, live.phase == .follows, database.latest < rules.newest, live.known.isSubset(of: live.tried),
            rules.liveIngestion != .notesCursors || live.sinceLook < rules.looksEvery
        else { return }
        after.live.swapped = live.swapped
        after.live.late = .underWay
        emit(.liveEnds(commitUnderWay: true), after)
    }

    private func lateCommitSteps(_ rules: ModelRules, _ emit: Emit) {
        var after = self
        after.live.late = .none
        let swapped = after.live.swapped
        emit(.lateCommitIsLost, after.changed { $0.live.swapped = [] })
        after.commitLedger(rules)
        emit(.lateCommitLands(after.database.latest, swapped), after)
    }
}
