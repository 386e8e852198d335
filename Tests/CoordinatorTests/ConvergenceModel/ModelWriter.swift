/// A writer: takes what was handed out in ledger order, one transaction at a time, each over any number of ledgers.
struct ModelWriter: Hashable, Sendable {
    /// A transaction that has swapped the cursors and not committed yet. It locks the rows of all its protocols.
    struct Transaction: Hashable, Sendable {
        /// Empty: there is none.
        var protocols: ProtocolSet = []
        var swapped: ProtocolSet = []
        var first: UInt8 = 0
        var last: UInt8 = 0
        var contracts: UInt8 = 0
        /// It belongs to an earlier round: its report counts no more.
        var isStale = false
        /// Only where rows and cursor are stored apart: the cursor is committed.
        var owesRows = false
    }

    /// Registered, and the only writer at the database.
    var isReady = false
    /// Its connection is gone, and it does not know yet.
    var isCutOff = false
    /// The protocols that take part in the round, and where their cursors stand.
    var active: ProtocolSet = []
    var cursors = PerProtocol<UInt8>(0)
    /// Batches up to this ledger have come.
    var handedOut: UInt8 = 0
    /// The contracts of the round are those deployed up to this ledger.
    var contracts: UInt8 = 0
    var transaction = Transaction()

    var isIdle: Bool { transaction.protocols.isEmpty }
}

extension ConvergenceModel {
    func writerSteps(_ state: ModelState, _ emit: (ModelStep, ModelState) -> Void) {
        steps(of: \.writer, orphan: false, state, emit)
        let dropped = state.writer.active.subtracting(state.migration.remaining)
        if state.writer.isIdle, !dropped.isEmpty {
            emit(.writerDrops(dropped), state.changed { $0.writer.active.subtract(dropped) })
        }
        guard state.orphan.isReady else { return }
        steps(of: \.orphan, orphan: true, state, emit)
        emit(.orphanEnds, state.changed { $0.orphan = ModelWriter() })
    }

    /// The coordinator gives the writer up, or is gone itself: what the writer has under way may still take effect.
    func orphaned(_ state: inout ModelState) {
        if state.writer.isReady, !state.writer.isCutOff { state.orphan = state.writer }
        state.writer = ModelWriter()
        if !rules.orphansGoOn { state.orphan.active = [] }
    }

    /// What is of no consequence any more is forgotten, so that equal states are found to be equal.
    func simplified(_ state: inout ModelState) {
        simplified(&state.writer)
        simplified(&state.orphan)
        // An old writer that has nothing left to commit stands in nobody's way.
        if state.orphan.isReady, state.orphan.isIdle, firstSegment(state.orphan) == nil { state.orphan = ModelWriter() }
    }

    private func simplified(_ writer: inout ModelWriter) {
        for index in 0..<2 where !writer.active.contains(index) { writer.cursors[index] = 0 }
        if writer.active.isEmpty {
            writer.handedOut = 0
            writer.contracts = 0
        }
    }

    private func steps(
        of path: WritableKeyPath<ModelState, ModelWriter>, orphan: Bool, _ state: ModelState, _ emit: (ModelStep, ModelState) -> Void
    ) {
        let writer = state[keyPath: path]
        guard writer.isReady, !writer.isCutOff else { return }
        if !writer.isIdle { return committing(path, orphan, state, emit) }
        guard let segment = firstSegment(writer), !state.lockedByLiveIngestion(segment.protocols),
            !state.lockedByWriters(segment.protocols)
        else { return }
        let swapped = segment.protocols.members { state.database.cursors[$0] == segment.first - 1 }
        for last in segment.first...segment.last {
            var after = state
            var transaction = ModelWriter.Transaction()
            transaction.protocols = segment.protocols
            transaction.swapped = swapped
            transaction.first = segment.first
            transaction.last = last
            transaction.contracts = writer.contracts
            after[keyPath: path].transaction = transaction
            // Where no cursor could be swapped the transaction is rolled back at once.
            if swapped.isEmpty { finish(path, orphan, &after) }
            emit(
                .writerSwaps(
                    orphan: orphan, segment.first...last, swapped: swapped, refused: segment.protocols.subtracting(swapped)), after)
        }
    }

    private func committing(
        _ path: WritableKeyPath<ModelState, ModelWriter>, _ orphan: Bool, _ state: ModelState,
        _ emit: (ModelStep, ModelState) -> Void
    ) {
        var after = state
        let transaction = state[keyPath: path].transaction
        if !transaction.owesRows {
            for index in transaction.swapped { after.database.cursors[index] = transaction.last }
        }
        if rules.flaw == .rowsAfterTheCursor, !transaction.owesRows {
            after[keyPath: path].transaction.owesRows = true
            return emit(.writerCommits(orphan: orphan, transaction.last, transaction.swapped), after)
        }
        for index in transaction.swapped {
            after.database.store(index, transaction.first...transaction.last, contracts: transaction.contracts, oldest: rules.oldest)
        }
        finish(path, orphan, &after)
        emit(
            transaction.owesRows
                ? .writerStoresRows(orphan: orphan) : .writerCommits(orphan: orphan, transaction.last, transaction.swapped), after)
    }

    /// The transaction has ended: what was swapped moves on, the rest takes no further part, and the report sets out.
    private func finish(_ path: WritableKeyPath<ModelState, ModelWriter>, _ orphan: Bool, _ state: inout ModelState) {
        let transaction = state[keyPath: path].transaction
        state[keyPath: path].transaction = ModelWriter.Transaction()
        guard !transaction.isStale else { return }
        for index in transaction.swapped { state[keyPath: path].cursors[index] = transaction.last }
        let refused = transaction.protocols.subtracting(transaction.swapped)
        state[keyPath: path].active.subtract(refused)
        guard !orphan else { return }
        for index in transaction.swapped { state.migration.swappedReports[index] |= 1 << transaction.last }
        for index in refused { state.migration.refusedReports[index] |= 1 << transaction.last }
    }

    /// The ledgers that could go in the next transaction: `RoundPlan` cuts them where a cursor stands.
    private func firstSegment(_ writer: ModelWriter) -> PlanTable.Segment? {
        plans.firstSegment(writer.cursors, writer.active, target: writer.handedOut)
    }
}
