package import Pipeline
package import StateChanges

/// What the coordinator decides, from the first round to the last protocol: a pure state machine. It takes an event and returns the actions that follow
/// from it; sockets, processes, database, clock and log carry them out (`CoordinatorService`).
///
///     waitingForWriter ──▶ snapshot ──▶ planning ──┬──▶ round ──▶ (complete) ──▶ waitingForWriter
///            ▲                                     ├──▶ (cursors swapped forward) ──▶ waitingForWriter
///            │                                     ├──▶ tip ──▶ (something moved) ──▶ waitingForWriter
///            │                                     └──▶ ended: no protocol remains
///            └── halting ◀── the session with the locks is lost, a record was refused, retention has moved past a cursor
///     any ──▶ stopping ──▶ ended: a signal, or a failure that nothing mends
///
/// At most one question is asked at a time. Every round starts from the database: whatever was assigned, delivered or reported before is void.
package struct CoordinatorMachine<Peer: Hashable & Sendable>: Hashable, Sendable {
    typealias Worker = WorkerRegistry<Peer>.Worker

    package let configuration: MachineConfiguration
    /// In the order given.
    var protocols: [ProtocolProgress]
    package internal(set) var registry = WorkerRegistry<Peer>()
    package internal(set) var writer = WriterStatus()
    package internal(set) var phase = Phase.waitingForWriter
    package internal(set) var pending: Pending?
    /// The number of the question that was asked last: the result of an earlier one, which nobody waits for any more, may still come.
    var questionNumber = 0
    /// The number of the last round that began; reports of it count also after it was halted.
    package internal(set) var roundNumber: RoundNumber = 0
    /// The highest target so far, which live ingestion had ingested; 0 where that is not known any more, since the server may have crashed.
    package internal(set) var target: UInt32 = 0
    var bytesPerLedger: Int?
    package internal(set) var contracts: ContractsName?
    package internal(set) var tip: Tip?
    var trouble: Trouble?
    var standingBy: Set<String> = []
    var hasDoubtedNetworkName = false

    /// A run at its beginning.
    /// - Parameter starts: where phase 1 found or put the cursors. A writer of an earlier run may go on committing until the first writer of this one is
    ///   ready, so they say only where the cursors stand at least.
    package init(_ configuration: MachineConfiguration, starts: [ProtocolID: UInt32]) {
        self.configuration = configuration
        protocols = configuration.protocols.map { ProtocolProgress($0, start: starts[$0] ?? 0) }
    }

    /// Takes one event.
    /// - Parameter now: the time since any fixed moment; it never goes back.
    /// - Returns: what is to be done, in order.
    package mutating func take(_ event: CoordinatorEvent<Peer>, at now: Duration) -> [CoordinatorAction<Peer>] {
        if case .ended = phase { return [] }
        var actions: [CoordinatorAction<Peer>] = []
        switch event {
        case .message(let peer, let envelope): take(envelope, from: peer, &actions)
        case .childExited(let token, let status, let crashed):
            if let worker = registry.worker(token: token) {
                lose(worker, "its process exited (\(status))", crashed: crashed, &actions)
            }
        case .childGivenUp(let role, let status):
            stop(.failure("the \(role.rawValue) process dies as soon as it is started (\(status)); its own log lines say why"), &actions)
        case .tick: tick(&actions)
        case .wake: if case .tip(.pausing) = phase { phase = .tip(.toAsk) }
        case .result(let result, let number): if number == questionNumber { take(result, at: now, &actions) }
        case .stop(let cause): stop(cause, &actions)
        }
        advance(at: now, &actions)
        return actions
    }

    /// Does what can be done without a further event, until something has to be waited for.
    private mutating func advance(at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        loop: while pending == nil {
            let before = phase
            switch phase {
            case .waitingForWriter:
                guard !remaining.isEmpty else {
                    finish(&actions)
                    continue
                }
                guard let ready = readyWriter else { return }
                ask(.round(remaining), .roundSnapshot(writer: ready), &actions)
            case .planning(let plan):
                if record(&actions) || moveForward(plan, &actions) { continue }
                begin(plan, at: now, &actions)
            case .round:
                attendToRound(&actions)
                // Comparing it with what it was would look at every lease.
                if case .round = phase { break loop }
            case .tip(let step): attendToTip(step, at: now, &actions)
            case .halting(let halt): if writer.hasStopped(round: roundNumber) || registry.writer == nil { halted(halt, &actions) }
            case .restoringLocks: ask(.restoreLocks, .restore, &actions)
            case .stopping(let stop):
                guard writer.hasStopped(round: roundNumber) || registry.writer == nil || stop.ticks == 0 else { return }
                phase = .recordingAtEnd(stop.cause)
            case .recordingAtEnd(let cause):
                let (reached, failed) = unrecorded(withRemaining: true)
                let isUrgent = if case .signal? = cause { true } else { false }
                ask(.recordAtEnd(reached: reached, failed: failed, isUrgent: isUrgent), .recordAtEnd, &actions)
            case .ended: return
            }
            if phase == before { break }
        }
        if case .round = phase { dispatch(&actions) }
    }

    private mutating func finish(_ actions: inout [CoordinatorAction<Peer>]) {
        if record(&actions) { return }
        end(nil, &actions)
    }

    mutating func end(_ cause: StopCause?, _ actions: inout [CoordinatorAction<Peer>]) {
        phase = .ended(cause)
        for worker in registry.all { actions.append(.send(.end, to: worker.peer, worker: worker.id)) }
        actions.append(.finish(cause))
    }

    // MARK: stopping

    /// Ends the run: the writer finishes its transaction, then it is recorded how each protocol ended.
    private mutating func stop(_ cause: StopCause, _ actions: inout [CoordinatorAction<Peer>]) {
        switch phase {
        // A second cause changes nothing any more.
        case .stopping, .recordingAtEnd, .ended: return
        default: break
        }
        actions.append(.notice(.stopping(cause)))
        if pending != nil {
            pending = nil
            actions.append(.cancelQuery)
        }
        haltWorkers(&actions)
        phase = .stopping(Stop(cause: cause, ticks: cause.isSignal ? Self.ticksForWriterAfterSignal : Self.ticksForWriter))
    }

    mutating func fail(_ cause: String, _ actions: inout [CoordinatorAction<Peer>]) { stop(.failure(cause), &actions) }

    /// All that fits within the ten seconds in which a signal ends the process.
    private static var ticksForWriterAfterSignal: Int { 5 }
    private static var ticksForWriter: Int { 30 }

    // MARK: halting

    /// Ends the round early: fetchers drop their work, the writer finishes its transaction and says so.
    mutating func haltWorkers(_ actions: inout [CoordinatorAction<Peer>]) {
        for worker in registry.all {
            let content: CoordinatorContent =
                worker.hello.role == .writer ? .writer(.halt(round: roundNumber)) : .fetcher(.halt(round: roundNumber))
            actions.append(.send(content, to: worker.peer, worker: worker.id))
        }
    }

    /// Leaves whatever is going on for a new look at the database; a commit that is under way ends before.
    mutating func halt(_ reason: Halt, _ actions: inout [CoordinatorAction<Peer>]) {
        haltWorkers(&actions)
        phase = .halting(reason)
    }

    private mutating func halted(_ reason: Halt, _ actions: inout [CoordinatorAction<Peer>]) {
        switch reason {
        case .readAgain: phase = .waitingForWriter
        case .sessionLost: phase = .restoringLocks
        }
    }

    // MARK: the clock

    private mutating func tick(_ actions: inout [CoordinatorAction<Peer>]) {
        for dead in registry.tick() {
            lose(dead, "nothing was heard of it", crashed: true, &actions)
            if let token = dead.hello.token { actions.append(.kill(token: token)) }
        }
        for worker in registry.all { actions.append(.send(.heartbeat, to: worker.peer, worker: worker.id)) }
        switch phase {
        case .stopping(var stop):
            stop.ticks = max(0, stop.ticks - 1)
            phase = .stopping(stop)
            return
        case .round: withRound { $0.lookIsDue = true }
        default: break
        }
        trouble?.ticks += 1
    }

    // MARK: questions

    mutating func ask(_ query: Query, _ purpose: Pending, _ actions: inout [CoordinatorAction<Peer>]) {
        pending = purpose
        questionNumber += 1
        actions.append(.ask(query, number: questionNumber))
    }

    private mutating func take(_ result: QueryResult, at now: Duration, _ actions: inout [CoordinatorAction<Peer>]) {
        guard let purpose = pending else { return }
        pending = nil
        switch result {
        case .failed(let cause):
            if purpose == .recordAtEnd { return recordedAtEnd(nil, cause, &actions) }
            fail(cause, &actions)
        case .sessionLost(let cause):
            if purpose == .recordAtEnd { return recordedAtEnd(nil, cause, &actions) }
            actions.append(.notice(.locksLost(cause: cause, round: currentRound?.number)))
            halt(.sessionLost, &actions)
        case .snapshot(let snapshot):
            switch purpose {
            case .roundSnapshot(let writer): plan(snapshot, for: writer, &actions)
            case .look(let asked): judgeLook(snapshot, asked: asked, &actions)
            case .verification: verify(snapshot, &actions)
            case .tipCursors(let look): judgeTip(snapshot, look, &actions)
            default: fail("the database sent a snapshot that nobody asked for", &actions)
            }
        case .liveIngestion(let runs):
            if case .tipLock(let asked) = purpose { phase = .tip(.lockKnown(runs: runs, asked: asked)) }
        case .networkTip(let ledger):
            if case .tip(.tipToAsk(let look)) = phase { tipKnown(ledger, look, at: now, &actions) }
        case .recorded(let complete):
            if purpose == .recordAtEnd { recordedAtEnd(complete, nil, &actions) } else { recorded(complete, &actions) }
        case .movedForward(let moved): if purpose == .moveForward { movedForward(moved, &actions) }
        case .locksRestored:
            actions.append(.notice(.locksRestored(protocols: remaining)))
            // The server may have crashed, and its last commits with it.
            expectLostCommits()
            target = 0
            phase = .waitingForWriter
        }
    }

    // MARK: what is known

    /// The protocols that are still migrated, in the order given.
    package var remaining: [ProtocolID] { protocols.filter { $0.outcome == nil }.map(\.id) }

    /// The writer that no other one's commit can come after any more; nil while there is none.
    var readyWriter: WorkerID? { writer.isReady ? registry.writer?.id : nil }

    /// How each protocol stands.
    package var progress: [ProtocolProgress] { protocols }

    /// Changes the round that runs, in place: while the phase holds it too, the first change would copy every lease.
    /// - Returns: nil where no round runs.
    @discardableResult
    mutating func withRound<Result>(_ change: (inout Round) -> Result) -> Result? {
        guard case .round(var round) = phase else { return nil }
        phase = .waitingForWriter
        defer { phase = .round(round) }
        return change(&round)
    }

    /// The round that runs.
    var currentRound: Round? { if case .round(let round) = phase { round } else { nil } }

    /// After a loss of the connection the server may have crashed and lost its last commits, which do not wait for the disk.
    mutating func expectLostCommits() {
        for index in protocols.indices where protocols[index].outcome == nil { protocols[index].floor = protocols[index].start }
    }
}
