/// Cursor, live ingestion and migration as one state machine: from a state, every step that any process can take next.
///
/// Decisions are the real ones (`CursorVerdict`, `TipWait`, `RoundPlan`); what surrounds them is modelled: the transactions at the database, split
/// where another one can come between, and the ends of processes, each possible at every moment and as often as one likes.
struct ConvergenceModel: Sendable {
    let rules: ModelRules
    let all: ProtocolSet
    let plans = PlanTable()

    init(_ rules: ModelRules) {
        self.rules = rules
        all = rules.protocolCount == 1 ? [0] : [0, 1]
    }

    var beginning: ModelState { ModelState(rules: rules) }

    func successors(of state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        func emitSimplified(_ step: ModelStep, _ after: ModelState) {
            var after = after
            simplified(&after)
            if !after.migration.atTip, after.live.late == .olderThanTheWait { after.live.late = .underWay }
            emit(step, after)
        }
        liveIngestionSteps(state, emitSimplified)
        migrationSteps(state, emitSimplified)
        writerSteps(state, emitSimplified)
        serverSteps(state, emitSimplified)
    }

    /// What is wrong with a state; nil where nothing is.
    func violation(in state: ModelState) -> String? {
        let database = state.database
        for index in all {
            let name = ModelStep.name(index)
            if rules.mindsFailures, state.migration.judgedFailed.contains(index) {
                return "\(name) is judged failed, though nobody meddled"
            }
            let cursor = database.cursors[index]
            let ledgers = cursor >= rules.oldest ? cursor - rules.oldest + 1 : 0
            // Every ledger up to the cursor once and complete, and none past it.
            guard database.stored[index] == 0x55 & UInt8(truncatingIfNeeded: (1 << (2 * UInt16(ledgers))) - 1) else {
                return
                    "\(name) has a gap, a double or a missed contract: cursor \(cursor), stored from \(rules.oldest): \(stored(index, database))"
            }
            if ledgers > 0, cursor > database.latest { return "\(name) is processed past the latest ingested ledger" }
            if database.statuses[index] == .success, cursor != database.latest {
                return "\(name) is a false success: its cursor stands at \(cursor), the latest ingested ledger is \(database.latest)"
            }
        }
        return nil
    }

    /// Where every state must be able to get to.
    func isGoal(_ state: ModelState) -> Bool { all.allSatisfy { state.database.statuses[$0] == .success } }

    private func stored(_ index: Int, _ database: ModelDatabase) -> String {
        (rules.oldest...rules.newest).map { ledger in
            "\(ModelDatabase.Stored(rawValue: database.stored[index] >> (2 * (ledger - rules.oldest)) & 3) ?? .twice)"
        }.joined(separator: " ")
    }
}
