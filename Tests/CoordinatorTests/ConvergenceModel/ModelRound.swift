import Coordinator

/// A round of the migration: from the snapshot's cursors to its target.
extension ConvergenceModel {
    func roundSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        let migration = state.migration
        noteReport(state, emit)
        let failed = all.members { migration.failedSwaps[$0] != 0 }
        if !failed.isEmpty { return verify(failed, state, emit) }
        if migration.remaining.allSatisfy({ migration.committed[$0] == migration.target }) {
            return emit(.roundComplete, state.changed(endRound))
        }
        if state.writer.isReady, state.writer.handedOut < migration.target {
            var after = state
            let ledger = state.writer.handedOut + 1
            after.writer.handedOut = ledger
            for index in migration.remaining { after.migration.attempted[index] = max(migration.attempted[index], ledger) }
            emit(.handsOut(ledger), after)
        }
        look(state, emit)
    }

    /// Whatever was handed out has been reported.
    private func endRound(_ state: inout ModelState) {
        for index in state.migration.remaining {
            state.migration.floor[index] = state.migration.committed[index]
            state.migration.attempted[index] = state.migration.committed[index]
        }
        state.writer.active.subtract(state.migration.remaining)
        leaveRound(&state)
        if state.migration.remaining.isEmpty { complete(&state) }
    }

    func leaveRound(_ state: inout ModelState) {
        state.migration.phase = .waitsForTheWriter
        state.migration.swappedReports = .init(0)
        state.migration.refusedReports = .init(0)
        state.migration.failedSwaps = .init(0)
        state.migration.lookLatest = 0
        state.migration.lookCursors = .init(0)
        state.migration.target = 0
        state.migration.firstHalf = false
        state.migration.isQuiet = false
        state.migration.hasWaited = false
    }

    func loseWriter(_ state: inout ModelState) {
        orphaned(&state)
        if state.migration.phase == .inRound {
            if rules.flaw != .lostCommitsForgotten {
                for index in state.migration.remaining { state.migration.floor[index] = state.migration.starts[index] }
            }
            leaveRound(&state)
        }
        state.migration.swappedReports = .init(0)
        state.migration.refusedReports = .init(0)
    }

    private func noteReport(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        let migration = state.migration
        let pending =
            migration.swappedReports[0] | migration.swappedReports[1] | migration.refusedReports[0] | migration.refusedReports[1]
        guard pending != 0 else { return }
        let bit = pending & ~(pending - 1)
        let ledger = UInt8(bit.trailingZeroBitCount)
        var after = state
        var swapped: ProtocolSet = []
        var refused: ProtocolSet = []
        for index in all {
            if migration.swappedReports[index] & bit != 0 { swapped.insert(index) }
            if migration.refusedReports[index] & bit != 0 { refused.insert(index) }
            after.migration.swappedReports[index] &= ~bit
            after.migration.refusedReports[index] &= ~bit
        }
        for index in swapped { after.migration.committed[index] = ledger }
        for index in refused where migration.remaining.contains(index) { after.migration.failedSwaps[index] = ledger }
        emit(.reportNoted(ledger, swapped: swapped, refused: refused), after)
    }

    /// `Migration.verify`.
    private func verify(_ failed: ProtocolSet, _ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        var after = state
        for index in failed {
            after.migration.failedSwaps[index] = 0
            guard state.migration.remaining.contains(index) else { continue }
            let committed = state.migration.committed[index]
            let verdict = verdict(
                state.database.cursors[index], state, floor: committed, committed: committed, attempted: committed,
                latest: state.database.latest)
            if case .handoff(let ledger) = verdict, ledger >= UInt32(state.migration.failedSwaps[index]) {
                succeed(index, at: UInt8(ledger), &after)
            } else {
                fail(index, &after)
            }
        }
        emit(.failedSwapsVerified(failed), after)
    }

    /// A look at the cursors while the round is under way: floor and committed count as they were when it was asked, attempted as it is when the
    /// answer is judged. The floor does not change within a round and attempted is never below committed, so today's values do for both. And
    /// since attempted only grows, what is ours when it is read stays ours: then the look changes nothing, and is left out. A look that finds the
    /// coordinator's session lost ends the round.
    private func look(_ before: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        var state = before
        if state.migration.isCutOff {
            reconnect(&state)
            if rules.flaw != .roundOutlivesItsSession {
                leaveRound(&state)
                return emit(.sessionFoundLost, state)
            }
        }
        if state.migration.lookLatest != 0 {
            var after = state
            for index in state.migration.remaining {
                switch lookVerdict(state.migration.lookCursors[index], index, state, latest: state.migration.lookLatest) {
                case .ours: break
                case .handoff(let ledger): succeed(index, at: UInt8(ledger), &after)
                case .foreign: fail(index, &after)
                }
            }
            after.migration.lookLatest = 0
            after.migration.lookCursors = .init(0)
            emit(.lookAnswered(after.migration.succeeded.subtracting(state.migration.succeeded)), after)
        } else if state.migration.remaining.contains(where: { index in
            if case .ours = lookVerdict(state.database.cursors[index], index, state, latest: state.database.latest) { false } else { true }
        }) {
            var after = state
            after.migration.lookLatest = state.database.latest
            for index in state.migration.remaining { after.migration.lookCursors[index] = state.database.cursors[index] }
            emit(.lookAsked, after)
        } else if state != before {
            emit(.lookAsked, state)
        }
    }

    private func lookVerdict(_ cursor: UInt8, _ index: Int, _ state: ModelState, latest: UInt8) -> CursorVerdict {
        let migration = state.migration
        return verdict(
            cursor, state, floor: migration.floor[index], committed: migration.committed[index], attempted: migration.attempted[index],
            latest: latest)
    }
}
