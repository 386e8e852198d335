import Coordinator
import Store

/// The beginning of a round: one snapshot, and what its cursors mean.
extension ConvergenceModel {
    func roundBeginnings(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        if !state.writer.isReady {
            // The fence: a writer is ready only when the one before it can commit no more.
            guard !state.orphan.isReady || rules.flaw == .noFence else { return }
            return emit(.writerIsReady, state.changed { $0.writer.isReady = true })
        }
        if rules.flaw == .contractsReadBeforeTheTarget, state.migration.contracts == 0 {
            return emit(
                .contractsRead(state.database.latest), state.changed { $0.migration.contracts = $0.database.latest })
        }
        var after = state
        reconnect(&after)
        let database = state.database
        let target = rules.flaw == .targetPastTheLatestLedger ? database.latest + 1 : database.latest
        for index in state.migration.remaining { judge(index, &after) }
        let remaining = after.migration.remaining
        if remaining.isEmpty {
            complete(&after)
            return emit(.snapshotEndsIt, after)
        }
        after.migration.target = target
        // A transaction of the round before can only be of protocols that have left.
        after.writer.transaction.isStale = !after.writer.isIdle
        after.migration.swappedReports = .init(0)
        after.migration.refusedReports = .init(0)
        if plans.firstSegment(after.migration.committed, remaining, target: target) == nil {
            after.migration.phase = .atTheTip
            return emit(.snapshotAtTheTip, after)
        }
        after.migration.phase = .inRound
        after.writer.active = remaining
        for index in remaining { after.writer.cursors[index] = after.migration.committed[index] }
        after.writer.handedOut = remaining.map { after.migration.committed[$0] }.min() ?? 0
        after.writer.contracts = database.latest
        switch rules.flaw {
        case .contractsReadBeforeTheTarget:
            after.writer.contracts = state.migration.contracts
            after.migration.contracts = 0
        case .contractsOfTheFirstRound:
            if state.migration.contracts == 0 { after.migration.contracts = database.latest }
            after.writer.contracts = after.migration.contracts
        default: break
        }
        emit(.roundBegins(target: target), after)
    }

    /// `Migration.judge`.
    private func judge(_ index: Int, _ state: inout ModelState) {
        if rules.flaw == .reportsBelievedOverCursors {
            return begin(index, at: state.migration.committed[index], &state)
        }
        let forgotten = rules.flaw == .attemptsForgotten
        // Before the first round the flaw would be another one, `startBelieved`.
        let attempted =
            forgotten && state.migration.attempted[index] != .max ? state.migration.committed[index] : state.migration.attempted[index]
        switch verdict(
            state.database.cursors[index], state, floor: state.migration.floor[index], committed: state.migration.committed[index],
            attempted: attempted, latest: state.database.latest)
        {
        case .ours(let ledger) where ledger > UInt32(state.database.latest): fail(index, &state)
        case .ours(let ledger): begin(index, at: UInt8(ledger), &state)
        case .handoff(let ledger): succeed(index, at: UInt8(ledger), &state)
        case .foreign: fail(index, &state)
        }
    }

    private func begin(_ index: Int, at ledger: UInt8, _ state: inout ModelState) {
        state.migration.committed[index] = ledger
        state.migration.floor[index] = ledger
        state.migration.attempted[index] = ledger
    }

    /// The real verdict.
    func verdict(
        _ cursor: UInt8, _ state: ModelState, floor: UInt8, committed: UInt8, attempted: UInt8, latest: UInt8
    ) -> CursorVerdict {
        CursorVerdict.judge(
            cursor: cursor == 0 ? .missing : .ledger(UInt32(cursor)), floor: UInt32(floor), committed: UInt32(committed),
            attempted: attempted == .max ? CursorVerdict.anythingAttempted : UInt32(attempted), latest: UInt32(latest))
    }

    func succeed(_ index: Int, at ledger: UInt8, _ state: inout ModelState) {
        state.migration.remaining.remove(index)
        state.migration.succeeded.insert(index)
        state.migration.reached[index] = ledger
    }

    func fail(_ index: Int, _ state: inout ModelState) {
        state.migration.remaining.remove(index)
        state.migration.judgedFailed.insert(index)
    }

    /// Before a snapshot: on a new connection, the last commits may be lost, but none from before the run.
    func reconnect(_ state: inout ModelState) {
        guard state.migration.isCutOff else { return }
        state.migration.isCutOff = false
        if rules.flaw == .lostCommitsForgotten { return }
        for index in state.migration.remaining { state.migration.floor[index] = state.migration.starts[index] }
    }
}
