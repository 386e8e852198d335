import Coordinator
import Pipeline
import StateChanges
import Store

/// A coordinator: the real `CoordinatorMachine`, and around it what its service has under way. All of it is gone when its process is killed.
struct ModelCoordinator: Sendable {
    typealias Machine = CoordinatorMachine<Int>

    var machine: Machine
    let protocols: ProtocolSet
    /// The session with the migration locks is gone; the coordinator finds out with its next question.
    var isSessionLost = false
    /// The question that was asked last, while nothing has come of it.
    var question: Query?
    var questionNumber = 0
    /// Its result, on its way.
    var result: QueryResult?
    /// Between two looks at the tip.
    var isPausing = false
    /// A whole wait has passed since live ingestion was seen last.
    var hasWaited = false
    /// Only where contracts are read apart from the target: the ledger up to which they are known.
    var contractsRead: UInt8 = 0

    var fetcher: ModelFetcher
    /// The writer that is registered; nil also where its process is gone and nobody has noticed.
    var writer: ModelWriter?
    /// What the writer said, on its way.
    var inbox: [ModelReport] = []
    /// The snapshot that was asked for last was asked for when the writer that is registered now was ready.
    var isSnapshotForThisWriter = false
    /// Whether the writer's connection is the second of two that are used in turn.
    var isOnOtherConnection = false

    /// The machine waits for a writer that is not there.
    var lacksWriter: Bool { machine.registry.writer == nil }
    var writerIsGoneUnnoticed: Bool { writer == nil && machine.registry.writer != nil }
    var writerPeer: Int { isOnOtherConnection ? 3 : 2 }
    var isAtTip: Bool { if case .tip = machine.phase { true } else { false } }

    static let run = RunID(rawValue: "run")
    static let wait = Duration.seconds(1)
    static let writerHello = Hello(role: .writer, instance: "w", token: "w", pid: 1, host: "h", rowsEndpoint: "ipc://rows")
    static func fetcherHello(_ incarnation: Int) -> Hello {
        Hello(role: .fetcher, instance: "f\(incarnation)", token: "f\(incarnation)", pid: 1, host: "h", rowsEndpoint: nil)
    }

    init(_ rules: ModelRules, starts: [ProtocolID: UInt32]) {
        let configuration = MachineConfiguration(
            run: Self.run, protocols: starts.keys.sorted(), batchSize: 1, fetchers: 1, networkPassphrase: "net", network: "test",
            convergenceWait: rules.waits ? Self.wait : .zero, acceptConvergence: rules.flaw == .convergenceBesideLiveIngestion,
            latestName: "latest_ingest_ledger", oldestName: "oldest_ingest_ledger")
        machine = Machine(configuration, starts: starts)
        protocols = ModelProtocols.set(starts.keys)
        fetcher = ModelFetcher(worker: 0)
    }
}

// MARK: what the machine is told, and what it does

extension ModelWorld {
    /// Tells the machine of an event and carries out what follows.
    mutating func tell(_ slot: Int, _ event: CoordinatorEvent<Int>, _ rules: ModelRules, _ plans: PlanTable) {
        let isRecordingAtEnd = if case .recordingAtEnd = coordinators[slot].machine.phase { true } else { false }
        let now = coordinators[slot].hasWaited ? ModelCoordinator.wait : .zero
        let actions = coordinators[slot].machine.take(event, at: now)
        var isFinished = false
        for action in actions {
            switch action {
            case .send(let content, let peer, let worker): deliver(content, to: peer, worker, slot, rules)
            case .ask(let query, let number):
                coordinators[slot].question = query
                coordinators[slot].questionNumber = number
                coordinators[slot].result = nil
                if case .round = query {
                    coordinators[slot].isSnapshotForThisWriter = coordinators[slot].writer.map { !$0.announces } ?? false
                }
            case .cancelQuery:
                coordinators[slot].question = nil
                coordinators[slot].result = nil
            case .wake: coordinators[slot].isPausing = true
            case .notice(let notice): note(notice, isRecordingAtEnd, rules)
            case .finish: isFinished = true
            case .kill, .registered, .counted, .holds: break
            }
        }
        // A wait begins anew when live ingestion was seen, and when something moved.
        if coordinators[slot].machine.tip?.detector.quietSince == nil || !coordinators[slot].isAtTip {
            coordinators[slot].hasWaited = false
        }
        if !coordinators[slot].isAtTip { coordinators[slot].isPausing = false }
        guard isFinished else { return }
        for progress in coordinators[slot].machine.progress where progress.outcome?.reached != nil && progress.isRecorded {
            guard database.statuses[ModelProtocols.index(progress.id)] != .success else { continue }
            violation = violation ?? "the run ends as if \(progress.id) were complete, but its status does not say so: a false success"
        }
        leaves(slot, plans)
    }

    private mutating func note(_ notice: Notice, _ isRecordingAtEnd: Bool, _ rules: ModelRules) {
        switch notice {
        case .handoffDoubtful(let id, _, _, _, _, _):
            let index = ModelProtocols.index(id)
            isWarned.insert(index)
            if meddling[index] == .none, rules.mindsFailures {
                violation = violation ?? "a handoff of \(id) is doubted, though nobody meddled"
            }
        case .left(let id, .failed(let cause), _, _):
            if meddling[ModelProtocols.index(id)] == .none, rules.mindsFailures, !isRecordingAtEnd {
                violation = violation ?? "\(id) is judged failed, though nobody meddled: \(cause)"
            }
        case .stopping(.failure(let cause)):
            if rules.all.allSatisfy({ meddling[$0] == .none }), rules.mindsFailures {
                violation = violation ?? "the run fails, though nobody meddled: \(cause)"
            }
        default: break
        }
    }

    private mutating func deliver(_ content: CoordinatorContent, to peer: Int, _ worker: WorkerID, _ slot: Int, _ rules: ModelRules) {
        switch content {
        case .welcome: if peer == 1 { coordinators[slot].fetcher.worker = worker }
        case .fetcher(let command): deliver(command, slot)
        case .writer(let command):
            switch command {
            case .begin(let round, let cursors, _):
                var places = PerProtocol<UInt8>(0)
                for (id, cursor) in cursors { places[ModelProtocols.index(id)] = UInt8(clamping: cursor) }
                send(.begin(round, cursors: places, ModelProtocols.set(cursors.keys)), to: slot, rules)
            case .drop(let id): send(.drop(ModelProtocols.index(id)), to: slot, rules)
            case .halt(let round): send(.halt(round), to: slot, rules)
            case .giveUp: break
            }
        case .standBy, .registerAgain, .heartbeat, .end: break
        }
    }

    /// The fetcher hears at once, and what is assigned to it is with the writer at once.
    private mutating func deliver(_ command: FetcherCommand, _ slot: Int) {
        switch command {
        case .begin(let round, _, let contracts):
            var fetcher = coordinators[slot].fetcher
            fetcher.round = round
            fetcher.hasAsked = false
            fetcher.delivered = 0
            if !keepsFirstContracts || fetcher.contracts == 0 { fetcher.contracts = UInt8(contracts.digest) ?? 0 }
            coordinators[slot].fetcher = fetcher
        case .assign(let round, let batches):
            guard round == coordinators[slot].fetcher.round else { return }
            let last = UInt8(clamping: batches.map(\.ledgers.upperBound).max() ?? 0)
            coordinators[slot].fetcher.hasAsked = false
            coordinators[slot].fetcher.delivered = max(last, coordinators[slot].fetcher.delivered)
            guard var writer = coordinators[slot].writer, writer.round == round, !writer.active.isEmpty else { return }
            writer.received = max(writer.received, last)
            writer.contracts = coordinators[slot].fetcher.contracts
            coordinators[slot].writer = writer
        case .revoke, .halt: break
        }
    }

    private func hello(_ hello: Hello, from peer: Int) -> CoordinatorEvent<Int> {
        .message(peer, Envelope(run: RunID(rawValue: ""), worker: 0, content: .hello(hello)))
    }

    private func fetcherSays(_ message: FetcherMessage, _ slot: Int) -> CoordinatorEvent<Int> {
        .message(1, Envelope(run: ModelCoordinator.run, worker: coordinators[slot].fetcher.worker, content: .fetcher(message)))
    }

    private func writerSays(_ message: WriterMessage, _ slot: Int) -> CoordinatorEvent<Int> {
        let coordinator = coordinators[slot]
        return .message(
            coordinator.writerPeer,
            Envelope(run: ModelCoordinator.run, worker: coordinator.machine.registry.writer?.id ?? 0, content: .writer(message)))
    }

    // MARK: beginnings and ends

    /// Phase 1: takes the migration locks, waits for the rows of cursors that are about to be moved, and makes or finds the cursors.
    func migrationBeginnings(_ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        guard database.latest >= rules.first, coordinators.count < (rules.twoCoordinators ? 2 : 1) else { return }
        let incomplete = rules.all.members { database.statuses[$0] != .success }
        for choice in rules.startsWithAny ? [[0], [1], incomplete] : [incomplete] where !choice.isEmpty && choice.isSubset(of: incomplete) {
            guard !isLockedByLiveIngestion(choice), !isLockedByWriters(choice), !isMigrationLocked(choice, except: nil) else { continue }
            var after = self
            var starts: [ProtocolID: UInt32] = [:]
            for index in choice {
                after.database.statuses[index] = .inProgress
                let start = max(after.database.cursors[index], after.database.beforeOldest)
                after.database.cursors[index] = start
                starts[ModelProtocols.ids[index]] = UInt32(start)
            }
            after.committedToDisk(rules)
            after.coordinators.append(ModelCoordinator(rules, starts: starts))
            after.tell(after.coordinators.count - 1, hello(ModelCoordinator.fetcherHello(0), from: 1), rules, plans)
            emit(.migrationBegins(choice), after)
        }
    }

    /// Whether a session that lives holds one of these migration locks.
    private func isMigrationLocked(_ set: ProtocolSet, except slot: Int?) -> Bool {
        coordinators.enumerated().contains { $0.offset != slot && !$0.element.isSessionLost && !$0.element.protocols.isDisjoint(with: set) }
    }

    /// The process ends, and its session with it; its writer may go on with what it has.
    private mutating func leaves(_ slot: Int, _ plans: PlanTable) {
        let writer = coordinators.remove(at: slot).writer
        orphan(writer, plans)
    }

    // MARK: steps

    func coordinatorSteps(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        let coordinator = coordinators[slot]
        questionSteps(slot, rules, plans, emit)
        if coordinator.isPausing {
            emit(.wakes, telling(slot, .wake, rules, plans) { $0.coordinators[slot].isPausing = false })
            // Only a wait that has begun is of interest, and it is over only when the COMMITs from before it have ended.
            if rules.waits, coordinator.machine.tip?.detector.quietSince != nil, !coordinator.hasWaited, live.late != .olderThanTheWait {
                var after = self
                after.committedToDisk(rules)
                after.coordinators[slot].hasWaited = true
                emit(.wholeWaitPasses, after)
            }
        }
        if let report = coordinator.inbox.first {
            emit(
                .reportComes(report),
                telling(slot, writerSays(report.message, slot), rules, plans) { $0.coordinators[slot].inbox.removeFirst() })
        }
        if coordinator.writerIsGoneUnnoticed {
            emit(
                .writerFoundGone,
                telling(slot, .childExited(token: "w", status: "killed", crashed: true), rules, plans) { $0.coordinators[slot].inbox = [] })
        }
        if coordinator.lacksWriter {
            emit(
                .writerRegisters,
                telling(slot, hello(ModelCoordinator.writerHello, from: coordinator.writerPeer), rules, plans) {
                    $0.coordinators[slot].writer = ModelWriter(protocols: coordinator.protocols)
                    $0.coordinators[slot].isSnapshotForThisWriter = false
                })
        }
        switch coordinator.machine.phase {
        case .round(let round):
            if !coordinator.fetcher.hasAsked, coordinator.fetcher.round == round.number, round.leases.handedOut < round.target {
                emit(
                    .fetcherAsks,
                    telling(slot, fetcherSays(.ready(round: round.number, batches: 1), slot), rules, plans) {
                        $0.coordinators[slot].fetcher.hasAsked = true
                    })
            }
            look(slot, rules, plans, emit)
        case .stopping(let stop):
            guard stop.ticks > 0 else { break }
            var after = self
            while after.coordinators.indices.contains(slot), case .stopping = after.coordinators[slot].machine.phase {
                after.tick(slot, rules, plans)
            }
            emit(.writerTakesTooLongToStop, after)
        default: break
        }
    }

    /// Everybody is heard of.
    private mutating func tick(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable) {
        tell(slot, fetcherSays(.ready(round: -1, batches: 0), slot), rules, plans)
        if coordinators[slot].machine.registry.writer != nil {
            tell(slot, writerSays(.heartbeat(ReorderLoad(ledgers: 0, bytes: 0)), slot), rules, plans)
        }
        tell(slot, .tick, rules, plans)
    }

    /// A look at the cursors while a round runs. What is ours when it is read stays ours, since `attempted` only grows and the floor does not change
    /// within a round: then the look changes nothing, and is left out, unless retention has moved past a cursor.
    private func look(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        let coordinator = coordinators[slot]
        guard coordinator.machine.pending == nil else { return }
        let isOurs = coordinator.machine.progress.allSatisfy { progress in
            guard progress.outcome == nil else { return true }
            let cursor = UInt32(database.cursors[ModelProtocols.index(progress.id)])
            return cursor != 0 && cursor >= progress.floor && cursor <= max(progress.attempted, progress.committed)
        }
        let isOvertaken = coordinator.machine.progress.contains { progress in
            progress.outcome == nil && database.cursors[ModelProtocols.index(progress.id)] < database.beforeOldest
        }
        guard coordinator.isSessionLost || !isOurs || isOvertaken else { return }
        var after = self
        after.tick(slot, rules, plans)
        emit(.looksWhileTheRoundRuns, after)
    }

    func telling(
        _ slot: Int, _ event: CoordinatorEvent<Int>, _ rules: ModelRules, _ plans: PlanTable, after change: (inout ModelWorld) -> Void
    ) -> ModelWorld {
        var after = self
        change(&after)
        after.tell(slot, event, rules, plans)
        return after
    }

    // MARK: questions

    private func questionSteps(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        let coordinator = coordinators[slot]
        if let result = coordinator.result {
            return emit(
                .resultComes(result),
                telling(slot, .result(result, number: coordinator.questionNumber), rules, plans) {
                    $0.coordinators[slot].question = nil
                    $0.coordinators[slot].result = nil
                    $0.coordinators[slot].contractsRead = 0
                })
        }
        guard let query = coordinator.question else { return }
        if case .round = query, rules.flaw == .contractsReadBeforeTheTarget, coordinator.contractsRead == 0 {
            return emit(.contractsRead(database.latest), changed { $0.coordinators[slot].contractsRead = $0.database.latest })
        }
        if case .moveForward(let cursors, _) = query, !coordinator.isSessionLost {
            // Their rows are waited for.
            let set = ModelProtocols.set(cursors.keys)
            guard !isLockedByLiveIngestion(set), !isLockedByWriters(set) else { return }
        }
        var after = self
        let result = after.response(to: query, slot, rules)
        after.coordinators[slot].result = result
        switch query {
        // Nothing that comes between could change what follows.
        case .networkTip, .restoreLocks, .recordAtEnd:
            emit(
                .asksAtOnce(query),
                after.telling(slot, .result(result, number: coordinator.questionNumber), rules, plans) {
                    $0.coordinators[slot].question = nil
                    $0.coordinators[slot].result = nil
                })
        default: emit(.databaseResponds(query), after)
        }
    }

    /// What the database does and says, in one transaction.
    private mutating func response(to query: Query, _ slot: Int, _ rules: ModelRules) -> QueryResult {
        if coordinators[slot].isSessionLost {
            switch query {
            case .networkTip: break
            case .restoreLocks, .recordAtEnd:
                if isMigrationLocked(coordinators[slot].protocols, except: slot) {
                    return .failed("another migration holds the lock")
                }
                coordinators[slot].isSessionLost = false
            default:
                guard rules.flaw == .sessionReplacedInSilence else { return .sessionLost("it is gone") }
                coordinators[slot].isSessionLost = false
            }
        }
        switch query {
        case .round(let ids):
            let known = rules.flaw == .contractsReadBeforeTheTarget ? coordinators[slot].contractsRead : database.latest
            return .snapshot(snapshot(ids, contracts: known, rules))
        case .cursors(let ids): return .snapshot(snapshot(ids, contracts: nil, rules))
        case .liveIngestion:
            let runs = liveIngestionHoldsItsLock(rules)
            if !runs, coordinators[slot].machine.tip?.detector.quietSince == nil, live.late != .none { live.late = .olderThanTheWait }
            return .liveIngestion(runs: runs)
        case .networkTip: return .networkTip(nil)
        case .record(let reached, let failed): return record(reached, failed, rules)
        case .recordAtEnd(let reached, let failed, _): return record(reached, failed, rules)
        case .moveForward(let cursors, let ledger): return moveForward(cursors, UInt8(clamping: ledger), rules)
        case .restoreLocks: return .locksRestored
        }
    }

    private mutating func moveForward(_ cursors: [ProtocolID: UInt32], _ ledger: UInt8, _ rules: ModelRules) -> QueryResult {
        var moved: Set<ProtocolID> = []
        for (id, cursor) in cursors where UInt32(database.cursors[ModelProtocols.index(id)]) == cursor {
            database.cursors[ModelProtocols.index(id)] = ledger
            moved.insert(id)
        }
        committedToDisk(rules)
        return .movedForward(moved)
    }

    /// The coordinator's session is gone. What it was told on it last may be lost, and then nobody has heard what became of a swap.
    mutating func breakSession(_ slot: Int) {
        coordinators[slot].isSessionLost = true
        if case .movedForward? = coordinators[slot].result { coordinators[slot].result = .sessionLost("it is gone") }
    }

    private func snapshot(_ ids: [ProtocolID], contracts: UInt8?, _ rules: ModelRules) -> Snapshot {
        let latest = rules.flaw == .targetPastTheLatestLedger ? database.latest + 1 : database.latest
        var cursors: [ProtocolID: CursorReading] = [:]
        for id in ids { cursors[id] = database.reading(ModelProtocols.index(id)) }
        return Snapshot(
            latest: .ledger(UInt32(latest)), oldest: .ledger(UInt32(database.oldest)), cursors: cursors,
            contracts: contracts.map { ContractsName(digest: "\($0)", base: nil, counts: [:]) })
    }

    /// Sets the status of those whose cursors stand where they stood, or past that. The commit waits for the disk, and so does whatever came before it.
    private mutating func record(_ reached: [ProtocolID: UInt32], _ failed: [ProtocolID], _ rules: ModelRules) -> QueryResult {
        committedToDisk(rules)
        for id in failed {
            let index = ModelProtocols.index(id)
            database.statuses[index] = .failed
            // That something has moved the cursor is known from here on.
            if meddling[index] == .visible { meddling[index] = .indistinguishable }
        }
        var complete: Set<ProtocolID> = []
        for (id, ledger) in reached {
            let index = ModelProtocols.index(id)
            guard rules.recordsUnseen || UInt32(database.cursors[index]) >= ledger else { continue }
            complete.insert(id)
            database.statuses[index] = .success
            if meddling[index] == .visible, !isWarned.contains(index),
                !database.isWhole(index, through: database.cursors[index], first: rules.first)
            {
                violation =
                    violation ?? "\(id) is a success without a warning, though a hand has moved its cursor past ledgers that have no rows"
            }
        }
        return .recorded(complete)
    }

    // MARK: faults

    func coordinatorFaults(_ slot: Int, _ rules: ModelRules, _ plans: PlanTable, _ emit: Emit) {
        let coordinator = coordinators[slot]
        if rules.processesEnd {
            var killed = self
            killed.leaves(slot, plans)
            emit(.coordinatorKilled, killed)
            switch coordinator.machine.phase {
            case .stopping, .recordingAtEnd: break
            default: emit(.signalComes, telling(slot, .stop(.signal(name: "SIGTERM", exitCode: 143)), rules, plans) { _ in })
            }
            if let writer = coordinator.writer {
                var after = self
                after.coordinators[slot].writer = nil
                after.coordinators[slot].isSnapshotForThisWriter = false
                after.orphan(writer, plans)
                emit(.writerIsGone, after)
            }
        }
        if rules.connectionsBreak, coordinator.writer != nil {
            var after = self
            after.coordinators[slot].isOnOtherConnection.toggle()
            after.coordinators[slot].inbox = []
            after.coordinators[slot].isSnapshotForThisWriter = false
            // What is sent to it from here on is sent to the new registration.
            after.registersAgain(slot)
            let ready = after.coordinators[slot].inbox
            after.coordinators[slot].inbox = []
            after.tell(slot, hello(ModelCoordinator.writerHello, from: after.coordinators[slot].writerPeer), rules, plans)
            if after.coordinators.indices.contains(slot) { after.coordinators[slot].inbox = ready }
            emit(.writerRegistersAgain, after)
        }
        if rules.sessionsBreak, !coordinator.isSessionLost { emit(.sessionBreaks, changed { $0.breakSession(slot) }) }
        if rules.fetchersDie {
            let next = coordinator.fetcher.incarnation + 1
            var after = self
            after.tell(slot, .childExited(token: "f\(coordinator.fetcher.incarnation)", status: "killed", crashed: true), rules, plans)
            after.coordinators[slot].fetcher = ModelFetcher(worker: 0, incarnation: next)
            after.tell(slot, hello(ModelCoordinator.fetcherHello(next), from: 1), rules, plans)
            emit(.fetcherDies, after)
        }
    }
}
