import Pipeline
import StateChanges
import Store

/// What the cursors in the database mean, and how protocols end.
extension CoordinatorMachine {
    // MARK: the beginning of a round

    /// Judges a round's snapshot.
    mutating func plan(_ snapshot: Snapshot, for writer: WorkerID, _ actions: inout [CoordinatorAction<Peer>]) {
        guard case .ledger(let latest) = snapshot.latest else {
            return fail("\(configuration.latestName) in ingest_store is \(snapshot.latest): there is no target to work towards", &actions)
        }
        for index in protocols.indices where protocols[index].outcome == nil {
            let progress = protocols[index]
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(progress.id), floor: progress.floor, committed: progress.committed, attempted: progress.attempted,
                latest: latest)
            switch verdict {
            case .ours(let ledger) where ledger > latest:
                leave(
                    index, .failed(cursorText(progress.id, "it stands at \(ledger), past the latest ingested ledger (\(latest))")), &actions
                )
            case .ours(let ledger):
                if ledger == progress.forward {
                    // The session was lost before it could say so.
                    noteMovedForward(index, to: ledger, &actions)
                } else if ledger != progress.committed {
                    actions.append(.notice(.cursorElsewhere(progress.id, ledger, reported: progress.committed)))
                }
                protocols[index].stands(at: ledger)
                protocols[index].failedSwap = nil
            case .handoff(let ledger):
                handOff(index, at: ledger, seen: "in the snapshot", through: max(progress.committed, progress.attempted), &actions)
            case .foreign(let numbers):
                leave(index, .failed(cursorText(progress.id, numbers)), &actions)
            }
        }
        contracts = snapshot.contracts
        target = latest
        actions.append(.notice(.target(latest, lowestCursor: snapshot.lowestCursor)))
        phase = .planning(Plan(target: latest, lowestCursor: snapshot.lowestCursor, writer: writer))
    }

    /// Begins what there is to do: a round, the wait at the tip, or the end.
    mutating func begin(_ plan: Plan, at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        let open = protocols.filter { $0.outcome == nil }
        let work = RoundPlan(cursors: Dictionary(uniqueKeysWithValues: open.map { ($0.id, $0.committed) }), target: plan.target)
        if open.isEmpty {
            phase = .waitingForWriter
        } else if work.segments.isEmpty {
            enterTip(plan.target, at: now, &actions)
        } else if readyWriter == plan.writer {
            beginRound(work, target: plan.target, &actions)
        } else {
            // The writer was lost meanwhile: a snapshot counts for a writer that was ready before it.
            phase = .waitingForWriter
        }
    }

    // MARK: retention

    /// Swaps the cursors forward that stand before ledgers which are no longer kept. Only between rounds: nothing is under way that moves them.
    /// - Returns: whether there is such a cursor.
    mutating func moveForward(_ plan: Plan, _ actions: inout [CoordinatorAction<Peer>]) -> Bool {
        var cursors: [ProtocolID: UInt32] = [:]
        for index in protocols.indices where protocols[index].outcome == nil && protocols[index].committed < plan.lowestCursor {
            cursors[protocols[index].id] = protocols[index].committed
            protocols[index].movesForward(to: plan.lowestCursor)
        }
        guard !cursors.isEmpty else { return false }
        actions.append(.notice(.movingForward(cursors, to: plan.lowestCursor)))
        ask(.moveForward(from: cursors, to: plan.lowestCursor), .moveForward, &actions)
        return true
    }

    /// The next snapshot judges the cursors that did not stand where they were believed to be.
    mutating func movedForward(_ moved: Set<ProtocolID>, _ actions: inout [CoordinatorAction<Peer>]) {
        for index in protocols.indices {
            guard protocols[index].outcome == nil, let ledger = protocols[index].forward else { continue }
            if moved.contains(protocols[index].id) {
                trouble = nil
                noteMovedForward(index, to: ledger, &actions)
            } else {
                protocols[index].stands(at: protocols[index].committed)
            }
        }
        phase = .waitingForWriter
    }

    private mutating func noteMovedForward(_ index: Int, to ledger: UInt32, _ actions: inout [CoordinatorAction<Peer>]) {
        actions.append(.notice(.movedForward(protocols[index].id, from: protocols[index].committed, to: ledger)))
        protocols[index].movedForward(to: ledger)
    }

    // MARK: while a round runs

    /// What has to be decided beyond handing out work.
    mutating func attendToRound(_ actions: inout [CoordinatorAction<Peer>]) {
        guard case .round(var round) = phase else { return }
        if record(&actions) { return }
        if round.lookIsDue {
            round.lookIsDue = false
            phase = .round(round)
            let asked = Dictionary(uniqueKeysWithValues: protocols.map { ($0.id, $0.committed) })
            return ask(.cursors(remaining), .look(asked: asked), &actions)
        }
        if protocols.contains(where: { $0.failedSwap != nil && $0.outcome == nil }) {
            return ask(.cursors(remaining), .verification, &actions)
        }
        if round.isOvertaken { return halt(.readAgain, &actions) }
        if let failure = round.failure { return fail(failure, &actions) }
        if let reason = round.interrupted {
            actions.append(.notice(.roundInterrupted(round.number, cause: reason)))
            expectLostCommits()
            haltWorkers(&actions)
            phase = .waitingForWriter
            return
        }
        guard round.leases.isComplete else { return }
        // Whatever was handed out has been reported: the cursor can only be where the writer said.
        for index in protocols.indices where protocols[index].outcome == nil { protocols[index].stands(at: protocols[index].committed) }
        actions.append(.notice(.roundComplete(round.number, target: round.target, ledgers: round.ledgerCount)))
        trouble = nil
        phase = .waitingForWriter
    }

    /// Looks at the cursors while a round runs: a protocol that was at the tip already may have been handed off, and a cursor that a hand has moved
    /// is better noticed at once than at the next swap. So is that retention has moved past a cursor, or that the session with the locks is gone.
    mutating func judgeLook(_ snapshot: Snapshot, asked: [ProtocolID: UInt32], _ actions: inout [CoordinatorAction<Peer>]) {
        guard case .round = phase else { return }
        for index in protocols.indices where protocols[index].outcome == nil {
            let progress = protocols[index]
            let committed = asked[progress.id] ?? 0
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(progress.id), floor: min(progress.floor, committed), committed: committed,
                attempted: progress.attempted, latest: snapshot.latestLedger)
            switch verdict {
            case .ours(let ledger): if max(ledger, progress.committed) < snapshot.lowestCursor { withRound { $0.isOvertaken = true } }
            // What was handed out may be committed or not: the writer's report tells, or its failed swap.
            case .handoff where progress.committed < progress.attempted: break
            case .handoff(let ledger): handOff(index, at: ledger, seen: "while the round runs", through: progress.committed, &actions)
            case .foreign(let numbers): leave(index, .failed(cursorText(progress.id, numbers)), &actions)
            }
        }
    }

    /// Swaps failed: live ingestion took the cursors over, or something else touched them. One snapshot tells.
    mutating func verify(_ snapshot: Snapshot, _ actions: inout [CoordinatorAction<Peer>]) {
        guard case .round = phase else { return }
        for index in protocols.indices where protocols[index].outcome == nil {
            guard let swap = protocols[index].failedSwap else { continue }
            let progress = protocols[index]
            protocols[index].failedSwap = nil
            actions.append(
                .notice(
                    .swapFailed(
                        progress.id, from: progress.committed, to: swap.attempted, found: swap.found, latest: snapshot.latest)))
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(progress.id), floor: progress.committed, committed: progress.committed,
                attempted: progress.committed, latest: snapshot.latestLedger)
            switch verdict {
            case .handoff(let ledger) where ledger >= swap.attempted:
                handOff(index, at: ledger, seen: "by a failed swap", through: progress.committed, &actions)
            case .handoff(let ledger), .ours(let ledger):
                let numbers = "the swap to \(swap.attempted) found \(swap.found ?? "no row"), and now it stands at \(ledger)"
                leave(index, .failed(cursorText(progress.id, numbers)), &actions)
            case .foreign(let numbers):
                leave(index, .failed(cursorText(progress.id, numbers)), &actions)
            }
        }
    }

    // MARK: the tip

    private static var pause: Duration { .milliseconds(100) }
    /// Looks between two questions for the network's tip.
    private static var looksPerTip: Int { 20 }

    /// All remaining protocols stand at the target: wait for the next ledger, for a handoff, or for the certainty that nobody else will come.
    private mutating func enterTip(_ ledger: UInt32, at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        if tip == nil { actions.append(.notice(.caughtUp(ledger: ledger, wait: configuration.convergenceWait))) }
        let detector = ConvergenceDetector(
            wait: configuration.convergenceWait, acceptConvergence: configuration.acceptConvergence, at: now)
        tip = Tip(
            ledger: ledger, detector: detector, ranAtLastLook: tip?.ranAtLastLook ?? true, networkTip: tip?.networkTip,
            hasSaidThatOnlyHandoffEnds: tip?.hasSaidThatOnlyHandoffEnds ?? false)
        trouble = nil
        phase = .tip(.toAsk)
    }

    mutating func attendToTip(_ step: TipStep, at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        switch step {
        case .toAsk:
            if record(&actions) { return }
            guard let network = configuration.network else {
                phase = .tip(.lockKnown(runs: true, asked: now))
                return
            }
            ask(.liveIngestion(network: network), .tipLock(asked: now), &actions)
        case .lockKnown(let runs, let asked): ask(.cursors(remaining), .tipCursors(TipLook(runs: runs, asked: asked)), &actions)
        case .tipToAsk: ask(.networkTip, .networkTip, &actions)
        case .pausing: break
        }
    }

    /// The second part of a look.
    mutating func judgeTip(_ snapshot: Snapshot, _ look: TipLook, _ actions: inout [CoordinatorAction<Peer>]) {
        guard let ledger = tip?.ledger, let ranAtLastLook = tip?.ranAtLastLook else { return }
        var look = look
        look.moved = snapshot.latest != .ledger(ledger) || remaining.contains { snapshot.reading($0) != .ledger(ledger) }
        if !look.runs, !ranAtLastLook, snapshot.latest != .ledger(ledger), !hasDoubtedNetworkName {
            // A ledger came between two looks though nobody held the lock at either: most probably it has another name.
            hasDoubtedNetworkName = true
            actions.append(.notice(.networkNameDoubtful(configuration.network ?? "")))
        }
        tip?.ranAtLastLook = look.runs
        tip?.looks += 1
        // Not with the first look: where ledgers keep coming, nobody reads it.
        if let looks = tip?.looks, looks >= Self.looksPerTip {
            tip?.looks = 0
            phase = .tip(.tipToAsk(look))
        } else {
            decideTip(look, &actions)
        }
    }

    mutating func tipKnown(_ ledger: UInt32?, _ look: TipLook, at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        if let ledger {
            tip?.networkTip = ledger
            actions.append(.notice(.networkTip(ledger)))
        }
        decideTip(look, &actions)
    }

    private mutating func decideTip(_ look: TipLook, _ actions: inout [CoordinatorAction<Peer>]) {
        guard var tip else { return }
        let decision = tip.detector.decide(liveIngestionRuns: look.runs, moved: look.moved, at: look.asked)
        if decision == .waitForLiveIngestion, !tip.hasSaidThatOnlyHandoffEnds {
            tip.hasSaidThatOnlyHandoffEnds = true
            actions.append(
                .notice(.onlyHandoffEnds(ledger: tip.ledger, isKnown: configuration.network != nil, networkTip: tip.networkTip)))
        }
        self.tip = tip
        switch decision {
        case .readAgain:
            phase = .waitingForWriter
        case .converged:
            for index in protocols.indices where protocols[index].outcome == nil { leave(index, .converged(at: tip.ledger), &actions) }
            phase = .waitingForWriter
        case .waitForLiveIngestion, .waitOn:
            phase = .tip(.pausing)
            actions.append(.wake(after: Self.pause))
        }
    }

    // MARK: ends

    /// - Parameter through: the last ledger that this run can have committed.
    private mutating func handOff(
        _ index: Int, at cursor: UInt32, seen: String, through: UInt32, _ actions: inout [CoordinatorAction<Peer>]
    ) {
        let progress = protocols[index]
        if through < target {
            actions.append(
                .notice(
                    .handoffDoubtful(
                        progress.id, cursor: cursor, migrated: progress.committed, through: through, target: target, seen: seen)))
        }
        leave(index, .handoff(at: cursor), &actions)
    }

    private mutating func leave(_ index: Int, _ outcome: Outcome, _ actions: inout [CoordinatorAction<Peer>]) {
        protocols[index].outcome = outcome
        protocols[index].isRecorded = false
        protocols[index].failedSwap = nil
        drop(protocols[index].id, &actions)
        actions.append(
            .notice(.left(protocols[index].id, outcome, migrated: protocols[index].committed, accepted: configuration.acceptConvergence)))
    }

    private func cursorText(_ id: ProtocolID, _ numbers: String) -> String { "cursor \(CursorNames.history(id)): \(numbers)" }

    // MARK: records

    /// The outcomes that do not stand in the database yet.
    /// - Parameter withRemaining: the run is over: what remains has failed.
    func unrecorded(withRemaining: Bool = false) -> (reached: [ProtocolID: UInt32], failed: [ProtocolID]) {
        var reached: [ProtocolID: UInt32] = [:]
        var failed: [ProtocolID] = []
        for progress in protocols where !progress.isRecorded {
            guard let outcome = progress.outcome else {
                if withRemaining { failed.append(progress.id) }
                continue
            }
            if let ledger = outcome.reached { reached[progress.id] = ledger } else { failed.append(progress.id) }
        }
        return (reached, failed)
    }

    /// Records how protocols ended, at once: whatever happens to the rest of the run, this is known.
    /// - Returns: whether there is something to record.
    mutating func record(_ actions: inout [CoordinatorAction<Peer>]) -> Bool {
        let (reached, failed) = unrecorded()
        if reached.isEmpty && failed.isEmpty { return false }
        ask(.record(reached: reached, failed: failed), .record, &actions)
        return true
    }

    mutating func recorded(_ complete: Set<ProtocolID>, _ actions: inout [CoordinatorAction<Peer>]) {
        var refused = false
        for index in protocols.indices where protocols[index].outcome != nil && !protocols[index].isRecorded {
            guard let ledger = protocols[index].outcome?.reached, !complete.contains(protocols[index].id) else {
                protocols[index].isRecorded = true
                actions.append(.notice(.recorded(protocols[index].id, success: protocols[index].outcome?.reached != nil)))
                continue
            }
            // The server has lost its last commits in a crash: the protocol goes on from where the cursor stands.
            refused = true
            actions.append(.notice(.recordRefused(protocols[index].id, reached: ledger)))
            protocols[index].outcome = nil
            protocols[index].floor = protocols[index].start
        }
        if refused { halt(.readAgain, &actions) }
    }

    mutating func recordedAtEnd(_ complete: Set<ProtocolID>?, _ failure: String?, _ actions: inout [CoordinatorAction<Peer>]) {
        guard case .recordingAtEnd(let cause) = phase else { return }
        let (reached, failed) = unrecorded(withRemaining: true)
        if let complete {
            for index in protocols.indices where !protocols[index].isRecorded {
                let id = protocols[index].id
                if let ledger = protocols[index].outcome?.reached, !complete.contains(id) {
                    let reason = "the cursor does not stand at \(ledger) any more, where the protocol was done; run again"
                    protocols[index].outcome = .failed(reason)
                    actions.append(.notice(.left(id, .failed(reason), migrated: protocols[index].committed, accepted: false)))
                }
                actions.append(.notice(.recorded(id, success: complete.contains(id))))
                protocols[index].isRecorded = true
            }
        } else {
            actions.append(.notice(.statusesNotSet(complete: reached.keys.sorted(), failed: failed, cause: failure ?? "unknown")))
        }
        end(cause, &actions)
    }
}
