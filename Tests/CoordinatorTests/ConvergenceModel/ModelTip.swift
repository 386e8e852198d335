import Coordinator

/// What the migration does when it has caught up.
extension ConvergenceModel {
    /// `Migration.waitAtTip`: a look asks for the lock first, and then reads a snapshot.
    func tipSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        let migration = state.migration
        switch migration.phase {
        case .atTheTip where rules.flaw == .tipLookInTheWrongOrder:
            emit(
                .cursorsReadFirst,
                state.changed {
                    $0.migration.firstHalf = hasMoved(state)
                    $0.migration.phase = .cursorsRead
                })
        case .atTheTip:
            let runs = holdsItsLock(state.live)
            var after = state
            after.migration.firstHalf = runs
            after.migration.phase = .lockAsked
            if !runs, !migration.isQuiet, state.live.late != .none { after.live.late = .olderThanTheWait }
            emit(.lockAsked(liveRuns: runs), after)
            // Only a wait that has begun is of interest, and it is over only when the COMMITs from before it have ended.
            if rules.waits, migration.isQuiet, !migration.hasWaited, state.live.late != .olderThanTheWait {
                emit(
                    .wholeWaitPasses,
                    state.changed {
                        committedToDisk(&$0)
                        $0.migration.hasWaited = true
                    })
            }
        case .lockAsked: decide(liveRuns: migration.firstHalf, moved: hasMoved(state), state.changed(reconnect), emit)
        case .cursorsRead: decide(liveRuns: holdsItsLock(state.live), moved: migration.firstHalf, state, emit)
        default: break
        }
    }

    private func hasMoved(_ state: ModelState) -> Bool {
        let target = state.migration.target
        return state.database.latest != target || state.migration.remaining.contains { state.database.cursors[$0] != target }
    }

    private func decide(liveRuns: Bool, moved: Bool, _ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        let migration = state.migration
        // As hasty as can be, unless there is something to wait for.
        var wait = TipWait(
            wait: rules.waits ? .seconds(1) : .zero,
            acceptConvergence: rules.flaw == .convergenceBesideLiveIngestion, at: .zero)
        if migration.isQuiet { _ = wait.decide(liveIngestionRuns: false, moved: false, at: .zero) }
        let decision = wait.decide(liveIngestionRuns: liveRuns, moved: moved, at: migration.hasWaited ? .seconds(1) : .zero)
        var after = state
        after.migration.firstHalf = false
        switch decision {
        case .readAgain:
            leaveRound(&after)
        case .converged:
            for index in migration.remaining { succeed(index, at: migration.target, &after) }
            complete(&after)
        case .waitOn, .waitForLiveIngestion:
            after.migration.phase = .atTheTip
            after.migration.isQuiet = rules.waits && !liveRuns
            if liveRuns { after.migration.hasWaited = false }
        }
        emit(.tipDecision(decision), after)
    }
}
