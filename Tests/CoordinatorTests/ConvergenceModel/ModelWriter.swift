import Pipeline
import StateChanges

/// A writer as its messages promise: ready only with the fences of all protocols and nothing under way; swap and rows in one transaction; stopped only
/// when nothing of the round is under way.
///
/// A transaction swaps the cursors first, which locks their rows, and commits later, so that others come in between.
struct ModelWriter: Hashable, Sendable {
    /// A transaction that has swapped the cursors and not committed yet. It locks the rows of all its protocols.
    struct Transaction: Hashable, Sendable {
        var protocols: ProtocolSet
        var swapped: ProtocolSet
        var first: UInt8
        var last: UInt8
        var contracts: UInt8
        /// The round whose report it is; nil: nobody waits for it any more.
        var round: RoundNumber?
        /// It found that its first ledger is below the oldest one.
        var isBelowOldest: Bool
        /// Only where rows and cursor are stored apart: the cursor is committed.
        var owesRows = false
        /// Only where it is reported before it is committed.
        var isReported = false
    }

    /// What was sent to it and has not come.
    enum Command: Hashable, Sendable {
        case begin(RoundNumber, cursors: PerProtocol<UInt8>, ProtocolSet)
        case drop(Int)
        case halt(RoundNumber)
    }

    /// The protocols of its run: it needs the fences of all of them.
    var protocols: ProtocolSet
    var hasFence = false
    /// Its connection to the database is gone, and it does not know yet.
    var isCutOff = false
    /// `ready` is due when it has the fences and nothing is under way.
    var announces = true
    /// `stopped` is due when nothing is under way.
    var halted: RoundNumber?
    /// The last round that was begun; 0 before the first.
    var round: RoundNumber = 0
    /// The protocols that take part in the round, and where their cursors stand.
    var active: ProtocolSet = []
    var cursors = PerProtocol<UInt8>(0)
    /// The rows up to this ledger are here.
    var received: UInt8 = 0
    /// The contracts of the round are those deployed up to this ledger.
    var contracts: UInt8 = 0
    var transaction: Transaction?
    var commands: [Command] = []

    init(protocols: ProtocolSet) { self.protocols = protocols }

    mutating func endRound() {
        active = []
        cursors = .init(0)
        received = 0
        contracts = 0
    }

    /// Whether it keeps other writers of these protocols out.
    func fences(_ set: ProtocolSet, _ rules: ModelRules) -> Bool {
        guard hasFence, !isCutOff else { return false }
        return !fence(rules).isDisjoint(with: set)
    }

    func fence(_ rules: ModelRules) -> ProtocolSet {
        rules.flaw == .fenceOfTheFirstProtocolOnly ? (protocols.first.map { [$0] } ?? []) : protocols
    }
}

/// A fetcher: all that is assigned to it is with the writer at once. It asks for one batch at a time.
struct ModelFetcher: Hashable, Sendable {
    var worker: WorkerID
    /// Which of the fetchers of its run it is, from 0 on.
    var incarnation = 0
    var round: RoundNumber = 0
    var contracts: UInt8 = 0
    /// The last ledger that it has delivered in the round.
    var delivered: UInt8 = 0
    var hasAsked = false
}

/// A message from the writer that is under way.
enum ModelReport: Hashable, Sendable {
    case ready
    case stopped(RoundNumber)
    case committed(RoundNumber, first: UInt8, last: UInt8, swapped: ProtocolSet, refused: ProtocolSet, found: PerProtocol<UInt8>)
    /// Nothing was committed: its ledgers begin below the oldest one.
    case belowOldest(RoundNumber, last: UInt8, ProtocolSet, oldest: UInt8)
    case interrupted(RoundNumber, permanent: Bool)

    var message: WriterMessage {
        switch self {
        case .ready: .ready
        case .stopped(let round): .stopped(round: round)
        case .interrupted(let round, let permanent): .interrupted(round: round, reason: "the database refused", permanent: permanent)
        case .belowOldest(let round, let last, let set, let oldest):
            .committed(
                round: round,
                report: CommitReport(
                    ledgers: UInt32(last)...UInt32(last),
                    swaps: Dictionary(uniqueKeysWithValues: set.map { (ModelProtocols.ids[$0], .belowOldest(UInt32(oldest))) }),
                    rows: [:], bytes: 0, seconds: 0))
        case .committed(let round, let first, let last, let swapped, let refused, let found):
            .committed(round: round, report: Self.report(first, last, swapped, refused, found))
        }
    }

    private static func report(
        _ first: UInt8, _ last: UInt8, _ swapped: ProtocolSet, _ refused: ProtocolSet, _ found: PerProtocol<UInt8>
    ) -> CommitReport {
        var swaps: [ProtocolID: CommitReport.Swap] = [:]
        for index in swapped { swaps[ModelProtocols.ids[index]] = .swapped }
        for index in refused { swaps[ModelProtocols.ids[index]] = .found(found[index] == 0 ? nil : "\(found[index])") }
        return CommitReport(ledgers: UInt32(first)...UInt32(last), swaps: swaps, rows: [:], bytes: 0, seconds: 0)
    }
}

extension ModelWorld {
    /// Where the row of a history cursor is locked by a transaction that has moved it, or is about to.
    func isLockedByLiveIngestion(_ set: ProtocolSet) -> Bool { !live.swapped.isDisjoint(with: set) }

    func isLockedByWriters(_ set: ProtocolSet) -> Bool {
        func locks(_ writer: ModelWriter?) -> Bool {
            guard let transaction = writer?.transaction, !transaction.owesRows else { return false }
            return !transaction.protocols.isDisjoint(with: set)
        }
        return orphans.contains(where: locks) || coordinators.contains { locks($0.writer) }
    }

    func isFenced(_ set: ProtocolSet, _ rules: ModelRules) -> Bool {
        orphans.contains { $0.fences(set, rules) } || coordinators.contains { $0.writer?.fences(set, rules) ?? false }
    }

    /// The steps of the writers that coordinators know of.
    func writerSteps(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        guard let writer = coordinators[slot].writer else { return }
        if let command = writer.commands.first {
            var after = self
            after.coordinators[slot].writer?.commands.removeFirst()
            after.obey(command, slot, rules)
            emit(.writerObeys(command), after)
        }
        if !writer.hasFence, writer.transaction == nil, rules.flaw == .noFence || !isFenced(writer.protocols, rules) {
            var after = self
            after.coordinators[slot].writer?.hasFence = true
            after.settle(slot)
            emit(.writerIsReady, after)
        }
        if let transaction = writer.transaction {
            var after = self
            switch after.commit(transaction, rules) {
            case .owesRows(let rest): after.coordinators[slot].writer?.transaction = rest
            case .committed:
                after.coordinators[slot].writer?.transaction = nil
                after.ended(transaction, slot)
            case .refused:
                after.coordinators[slot].writer?.transaction = nil
                if let round = transaction.round { after.interrupt(slot, round: round, permanent: true) }
            }
            emit(.writerCommits(orphan: false, transaction.last, transaction.swapped), after)
        } else if writer.hasFence, let segment = firstSegment(writer, plans) {
            guard !writer.isCutOff else {
                var after = self
                after.coordinators[slot].writer?.isCutOff = false
                after.interrupt(slot, round: writer.round, permanent: false)
                return emit(.writerFindsItselfCutOff, after)
            }
            guard !isLockedByLiveIngestion(segment.protocols), !isLockedByWriters(segment.protocols) else { return }
            for last in segment.first...segment.last {
                var after = self
                let transaction = begin(segment, last, writer, rules)
                if transaction.swapped.isEmpty {
                    // Where no cursor could be swapped the transaction is rolled back at once.
                    after.ended(transaction, slot)
                } else {
                    after.coordinators[slot].writer?.transaction = transaction
                    if rules.flaw == .reportBeforeTheCommit {
                        after.coordinators[slot].writer?.transaction?.isReported = true
                        after.coordinators[slot].inbox.append(report(of: transaction))
                    }
                }
                emit(.writerSwaps(orphan: false, segment.first...last, swapped: transaction.swapped), after)
            }
        }
    }

    /// A writer that was given up, or has lost its coordinator: it goes on with what it has, until it ends.
    func orphanSteps(_ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        for (number, writer) in orphans.enumerated() {
            emit(.orphanEnds, changed { $0.orphans.remove(at: number) })
            if let transaction = writer.transaction {
                var after = self
                switch after.commit(transaction, rules) {
                case .owesRows(let rest): after.orphans[number].transaction = rest
                case .committed:
                    after.orphans[number].transaction = nil
                    after.orphans[number].ended(transaction)
                case .refused:
                    after.orphans[number].transaction = nil
                    after.orphans[number].endRound()
                }
                after.forgetIdleOrphans(plans)
                emit(.writerCommits(orphan: true, transaction.last, transaction.swapped), after)
            } else if !writer.isCutOff, let segment = firstSegment(writer, plans), !isLockedByLiveIngestion(segment.protocols),
                !isLockedByWriters(segment.protocols)
            {
                for last in segment.first...segment.last {
                    var after = self
                    let transaction = begin(segment, last, writer, rules)
                    if transaction.swapped.isEmpty {
                        after.orphans[number].ended(transaction)
                        after.forgetIdleOrphans(plans)
                    } else {
                        after.orphans[number].transaction = transaction
                    }
                    emit(.writerSwaps(orphan: true, segment.first...last, swapped: transaction.swapped), after)
                }
            }
        }
    }

    /// The writer's process is gone, or nothing is heard of it: what it has under way may still take effect.
    mutating func orphan(_ writer: ModelWriter?, _ plans: PlanTable) {
        guard var writer, writer.hasFence, !writer.isCutOff else { return }
        writer.announces = false
        writer.halted = nil
        writer.commands = []
        writer.round = 0
        writer.transaction?.round = nil
        orphans.append(writer)
        forgetIdleOrphans(plans)
        // Only without a fence there can be more.
        if orphans.count > 2 { orphans.removeFirst() }
    }

    /// One that has nothing left to commit stands in nobody's way.
    private mutating func forgetIdleOrphans(_ plans: PlanTable) {
        orphans = orphans.filter { $0.transaction != nil || firstSegment($0, plans) != nil }
    }

    // MARK: commands

    /// A command is sent. What begins a round changes nothing that is under way, and so is obeyed at once where nothing comes before it.
    mutating func send(_ command: ModelWriter.Command, to slot: Int, _ rules: ModelRules) {
        guard let writer = coordinators[slot].writer else { return }
        if case .begin = command, writer.commands.isEmpty { return obey(command, slot, rules) }
        coordinators[slot].writer?.commands.append(command)
    }

    private mutating func obey(_ command: ModelWriter.Command, _ slot: Int, _ rules: ModelRules) {
        guard var writer = coordinators[slot].writer else { return }
        switch command {
        case .begin(let round, let cursors, let active):
            guard round > writer.round else { return }
            if !writer.hasFence || writer.announces { violation = violation ?? "a round begins for a writer that is not ready" }
            if !coordinators[slot].isSnapshotForThisWriter {
                violation = violation ?? "a round begins for a writer that was not ready before the snapshot"
            }
            writer.endRound()
            writer.round = round
            writer.active = active
            writer.cursors = cursors
            if coordinators[slot].fetcher.round == round {
                writer.received = coordinators[slot].fetcher.delivered
                writer.contracts = coordinators[slot].fetcher.contracts
            }
        case .drop(let index):
            writer.active.remove(index)
            writer.cursors[index] = 0
            if writer.active.isEmpty { writer.endRound() }
        case .halt(let round):
            if rules.flaw == .stopsInNameOnly {
                coordinators[slot].inbox.append(.stopped(round))
                return
            }
            if round >= writer.round { writer.endRound() }
            writer.halted = round
        }
        coordinators[slot].writer = writer
        settle(slot)
    }

    /// Says what is due.
    private mutating func settle(_ slot: Int) {
        guard let writer = coordinators[slot].writer, writer.transaction == nil else { return }
        if let halted = writer.halted {
            coordinators[slot].writer?.halted = nil
            coordinators[slot].inbox.append(.stopped(halted))
        }
        if writer.announces, writer.hasFence {
            coordinators[slot].writer?.announces = false
            coordinators[slot].inbox.append(.ready)
        }
    }

    /// The writer has lost its connection to the coordinator and registers again; a transaction may be under way.
    mutating func registersAgain(_ slot: Int) {
        coordinators[slot].writer?.endRound()
        coordinators[slot].writer?.round = 0
        coordinators[slot].writer?.halted = nil
        coordinators[slot].writer?.commands = []
        coordinators[slot].writer?.announces = true
        coordinators[slot].writer?.transaction?.round = nil
        settle(slot)
    }

    // MARK: transactions

    private func begin(_ segment: PlanTable.Segment, _ last: UInt8, _ writer: ModelWriter, _ rules: ModelRules) -> ModelWriter.Transaction {
        let isBelowOldest = segment.first < database.oldest
        let mayWrite = !isBelowOldest || rules.flaw == .rowsBelowTheOldest
        return ModelWriter.Transaction(
            protocols: segment.protocols, swapped: segment.protocols.members { mayWrite && database.cursors[$0] == segment.first - 1 },
            first: segment.first, last: last, contracts: writer.contracts, round: writer.round == 0 ? nil : writer.round,
            isBelowOldest: isBelowOldest)
    }

    private enum Commit {
        case committed
        case refused
        case owesRows(ModelWriter.Transaction)
    }

    private mutating func commit(_ transaction: ModelWriter.Transaction, _ rules: ModelRules) -> Commit {
        let ledgers = transaction.first...transaction.last
        if transaction.swapped.contains(where: { meddling[$0] != .none && database.holdsAny($0, ledgers, first: rules.first) }) {
            // The primary key refuses the rows, and with them the transaction.
            return .refused
        }
        if !transaction.owesRows { for index in transaction.swapped { database.cursors[index] = transaction.last } }
        if rules.flaw == .rowsAfterTheCursor, !transaction.owesRows {
            var rest = transaction
            rest.owesRows = true
            return .owesRows(rest)
        }
        if transaction.isBelowOldest { violation = violation ?? "rows are written of ledgers that had dropped below the oldest one before" }
        for index in transaction.swapped { database.store(index, ledgers, contracts: transaction.contracts, first: rules.first) }
        return .committed
    }

    private func report(of transaction: ModelWriter.Transaction) -> ModelReport {
        if transaction.isBelowOldest {
            return .belowOldest(transaction.round ?? 0, last: transaction.last, transaction.protocols, oldest: database.oldest)
        }
        let refused = transaction.protocols.subtracting(transaction.swapped)
        var found = PerProtocol<UInt8>(0)
        for index in refused { found[index] = database.cursors[index] }
        return .committed(
            transaction.round ?? 0, first: transaction.first, last: transaction.last, swapped: transaction.swapped, refused: refused,
            found: found)
    }

    /// The transaction has ended: what was swapped moves on, the rest takes no further part, and the report sets out.
    private mutating func ended(_ transaction: ModelWriter.Transaction, _ slot: Int) {
        if let round = transaction.round {
            if round == coordinators[slot].writer?.round { coordinators[slot].writer?.ended(transaction) }
            if !transaction.isReported { coordinators[slot].inbox.append(report(of: transaction)) }
        }
        settle(slot)
    }

    /// The server has crashed: nothing of the transaction is committed.
    mutating func loseTransaction(_ slot: Int) {
        guard let transaction = coordinators[slot].writer?.transaction else { return }
        coordinators[slot].writer?.transaction = nil
        coordinators[slot].writer?.hasFence = false
        if let round = transaction.round { interrupt(slot, round: round, permanent: false) } else { settle(slot) }
    }

    private mutating func interrupt(_ slot: Int, round: RoundNumber, permanent: Bool) {
        coordinators[slot].writer?.endRound()
        if !permanent {
            coordinators[slot].writer?.hasFence = false
            coordinators[slot].writer?.announces = true
        }
        coordinators[slot].inbox.append(.interrupted(round, permanent: permanent))
        settle(slot)
    }

    /// The ledgers that could go in the next transaction: `RoundPlan` cuts them where a cursor stands.
    private func firstSegment(_ writer: ModelWriter, _ plans: PlanTable) -> PlanTable.Segment? {
        plans.firstSegment(writer.cursors, writer.active, target: writer.received)
    }
}

extension ModelWriter {
    fileprivate mutating func ended(_ transaction: Transaction) {
        for index in transaction.swapped where active.contains(index) { cursors[index] = transaction.last }
        for index in transaction.protocols.subtracting(transaction.swapped) {
            active.remove(index)
            cursors[index] = 0
        }
        if active.isEmpty { endRound() }
    }
}
