import Coordinator
import Pipeline
import StateChanges

/// The whole world at one moment: the database, live ingestion, and migrations, each the real machine with its workers.
struct ModelWorld: Sendable {
    typealias Emit = (ModelStep, ModelWorld) -> Void

    /// What a hand did to a cursor.
    enum Meddling: UInt8, Hashable, Sendable {
        case none
        /// Something that the migration can tell from its own commits and from live ingestion's.
        case visible
        /// Just what its own writer or live ingestion would have done, or something that is no business of the migration any more.
        case indistinguishable
    }

    var database: ModelDatabase
    var live = ModelLiveIngestion()
    /// Those that run; at most two.
    var coordinators: [ModelCoordinator] = []
    /// Writers that were given up, or whose coordinator has gone, and that have something to commit.
    var orphans: [ModelWriter] = []
    var meddling = PerProtocol(Meddling.none)
    /// The protocols whose handoff was doubted in the log.
    var isWarned: ProtocolSet = []
    /// How many faults may still happen; nil: any number.
    var faults: UInt8?
    /// How often a hand may still move a cursor.
    var hands: UInt8
    /// How often retention may still move on.
    var retentions: UInt8
    let keepsFirstContracts: Bool
    /// What went wrong on the way here.
    var violation: String?

    init(_ rules: ModelRules) {
        database = ModelDatabase(latest: rules.first - 1, oldest: rules.first)
        faults = rules.faults
        hands = rules.hands
        retentions = rules.retentions
        keepsFirstContracts = rules.flaw == .contractsOfTheFirstRound
    }

    func changed(_ change: (inout ModelWorld) -> Void) -> ModelWorld {
        var after = self
        change(&after)
        return after
    }

    /// Every step that can be taken next.
    /// - Parameters:
    ///   - fair: takes steps that happen by themselves if one only waits long enough.
    ///   - fault: takes ends of processes, broken connections and the like: they may happen or not.
    func successors(_ rules: ModelRules, _ plans: PlanTable, fair: Emit, fault: Emit) {
        func counted(_ step: ModelStep, _ after: ModelWorld) {
            var after = after
            if let faults { after.faults = faults - 1 }
            fault(step, after)
        }
        liveIngestionSteps(rules, fair)
        migrationBeginnings(rules, plans, fair)
        for slot in coordinators.indices {
            coordinatorSteps(slot, rules, plans, fair)
            writerSteps(slot, rules, plans, fair)
        }
        orphanSteps(rules, plans, fair)
        if rules.serverCrashes, database.cursors != database.cursorsOnDisk || database.stored != database.storedOnDisk {
            fair(.serverFlushes, changed { $0.committedToDisk(rules) })
        }
        if hands > 0 { handSteps(rules, fault) }
        if retentions > 0 { retentionSteps(fault) }
        guard faults != 0 else { return }
        for slot in coordinators.indices { coordinatorFaults(slot, rules, plans, counted) }
        if rules.serverCrashes { counted(.serverCrashes, changed { $0.crash() }) }
    }

    // MARK: the server

    /// After a commit that waits for the disk.
    mutating func committedToDisk(_ rules: ModelRules) {
        if rules.serverCrashes { database.flush() }
    }

    /// Every session is gone, with its locks and its open transaction: live ingestion ends, old writers have nothing any more; a writer finds out with its
    /// next transaction, and says so after its reports; a coordinator with its next question.
    private mutating func crash() {
        database.loseWhatIsNotOnTheDisk()
        live = ModelLiveIngestion()
        orphans = []
        for slot in coordinators.indices {
            breakSession(slot)
            guard coordinators[slot].writer?.hasFence == true else { continue }
            if coordinators[slot].writer?.transaction == nil {
                coordinators[slot].writer?.isCutOff = true
            } else {
                // The transaction under way finds out at once.
                loseTransaction(slot)
            }
        }
    }

    // MARK: retention

    /// Ledgers are dropped, on the disk at once.
    private func retentionSteps(_ emit: Emit) {
        guard database.latest >= database.oldest else { return }
        for oldest in (database.oldest + 1)...(database.latest + 1) {
            emit(
                .retentionMoves(oldest),
                changed {
                    $0.retentions -= 1
                    $0.database.oldest = oldest
                })
        }
    }

    // MARK: hands

    /// A hand moves the cursor of a protocol that is migrated, anywhere, or removes it.
    private func handSteps(_ rules: ModelRules, _ emit: Emit) {
        for coordinator in coordinators {
            for progress in coordinator.machine.progress {
                let index = ModelProtocols.index(progress.id)
                // Before the first snapshot, and after the last, it is no business of this run.
                guard progress.outcome == nil, progress.attempted != .max, !isLockedByLiveIngestion([index]), !isLockedByWriters([index])
                else { continue }
                let old = database.cursors[index]
                for new in 0...rules.newest where new != old {
                    var after = self
                    after.hands -= 1
                    after.database.cursors[index] = new
                    // Where the protocol has caught up, live ingestion moves the cursor in the same way, and where it has done so the cursor is not ours.
                    let imitates = UInt32(old) >= coordinator.machine.target && new > old
                    let isOurs = UInt32(old) <= max(progress.attempted, progress.committed)
                    after.meddling[index] = imitates || !isOurs ? .indistinguishable : .visible
                    emit(.handMoves(index, from: old, to: new), after)
                }
            }
        }
    }

    // MARK: what must hold

    /// What is wrong here; nil where nothing is.
    func wrong(_ rules: ModelRules) -> String? {
        if let violation { return violation }
        for index in rules.all where meddling[index] == .none {
            let name = ModelProtocols.ids[index]
            let cursor = database.cursors[index]
            guard database.isWhole(index, through: cursor, first: rules.first) else {
                return
                    "\(name) has a gap, a double or a missed contract: cursor \(cursor), stored from \(rules.first): \(stored(index, rules))"
            }
            if cursor >= rules.first, cursor > database.latest { return "\(name) is processed past the latest ingested ledger" }
            if database.statuses[index] == .success, cursor != database.latest {
                return "\(name) is a false success: its cursor stands at \(cursor), the latest ingested ledger is \(database.latest)"
            }
        }
        if rules.flaw != .noFence, rules.flaw != .fenceOfTheFirstProtocolOnly {
            let fenced = orphans + coordinators.compactMap(\.writer)
            for index in rules.all where fenced.count(where: { $0.fences([index], rules) }) > 1 {
                return "two writers may commit for \(ModelProtocols.ids[index])"
            }
        }
        for coordinator in coordinators {
            if let nothing = coordinator.waitsForNothing(rules) { return nothing }
        }
        return nil
    }

    private func stored(_ index: Int, _ rules: ModelRules) -> String {
        (rules.first...rules.newest).map { ledger in
            "\(ModelDatabase.Stored(rawValue: database.stored[index] >> (2 * (ledger - rules.first)) & 3) ?? .twice)"
        }.joined(separator: " ")
    }

    /// Where every world must be able to get to by waiting: all is migrated, or, where hands meddle or another migration takes the locks, no run is left.
    func isGoal(_ rules: ModelRules) -> Bool {
        if rules.hands > 0 || !rules.mindsFailures { return coordinators.isEmpty }
        return rules.all.allSatisfy { database.statuses[$0] == .success }
    }
}

extension ModelCoordinator {
    /// A run waits for a response, a pause or a message that is under way, or for something that can be named: otherwise it stands still for ever.
    func waitsForNothing(_ rules: ModelRules) -> String? {
        if question != nil || isPausing || !inbox.isEmpty || writerIsGoneUnnoticed { return nil }
        let writerIsBusy = writer.map { !$0.commands.isEmpty || $0.transaction != nil || $0.isCutOff } ?? false
        switch machine.phase {
        case .waitingForWriter:
            // For one that comes, or for one that gets its fences.
            guard let writer, !writer.announces, !writerIsBusy else { return nil }
            return "the run waits for a writer that has nothing more to say"
        case .round(let round):
            guard let writer else { return "a round runs without a writer" }
            let hasRows = !writer.active.isEmpty && writer.active.contains { writer.cursors[$0] < writer.received }
            if writerIsBusy || hasRows || !fetcher.hasAsked && fetcher.round == round.number && round.leases.handedOut < round.target {
                return nil
            }
            return "the round waits for ledgers that nobody has"
        case .halting: return writerIsBusy ? nil : "the run waits for a writer to stop that was not asked to"
        // For the clock.
        case .stopping: return nil
        case .planning, .tip, .restoringLocks, .recordingAtEnd: return "the run has forgotten its question"
        case .ended: return "the run has ended and goes on"
        }
    }
}

extension ModelWorld: CustomStringConvertible {
    var description: String {
        let cursors = (0..<2).map { index in
            let cursor = database.cursors[index]
            return "\(ModelProtocols.ids[index])=\(cursor == 0 ? "-" : "\(cursor)")/\(database.statuses[index])"
        }
        let phases = coordinators.map { "\($0.machine.phase)".prefix(200) }.joined(separator: ", ")
        return
            "latest \(database.latest), \(cursors.joined(separator: " ")), oldest \(database.oldest), live \(live.phase), migrations [\(phases)]"
    }
}
