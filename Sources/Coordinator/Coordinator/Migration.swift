import Logging
import Pipeline
import Protocols
import StellarXDR
import Store

/// The migration from the first round to the last protocol: reads the database, decides what each cursor means, has the ledgers between
/// cursors and target processed, waits at the tip, and says how each protocol ended. Everything that happens comes through one loop of events.
struct Migration: Sendable {
    let configuration: HistoryConfiguration
    let desk: ControlDesk
    let database: MigrationDatabase
    let tip: NetworkTip
    let metrics: MigrationMetrics
    let logger: Logger
    let report: @Sendable (CoordinatorEvent) -> Void

    typealias Events = AsyncStream<CoordinatorEvent>.Iterator
    /// A round of fewer is not worth two lines in the log.
    private static let fewLedgers = 10
    /// Between two looks at the tip; every so many of them ask the RPC, too.
    private static let lookInterval = Duration.milliseconds(100)
    private static let looksPerTip = 20

    /// Rounds until no protocol remains.
    ///
    /// - Throws: `RunStopped` where the run cannot go on; what is committed stays, and `state` tells what has been reached.
    func rounds(_ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog) async throws(RunStopped) {
        while !state.remaining.isEmpty {
            try await until(&events, &state, &progress) { $0.writerReady || $0.hopeless != nil }
            if let reason = state.hopeless { throw .failure(reason) }
            let snapshot = try await read(&events, &state, &progress)
            guard case .ledger(let target) = snapshot.latest else {
                throw .failure(
                    "\(configuration.cursorNames.latest) in ingest_store is \(snapshot.latest): there is no target to work towards")
            }
            judge(snapshot, &state)
            try await record(&events, &state, &progress)
            if state.remaining.isEmpty { return }
            let cursors = state.committed.filter { state.remaining.contains($0.key) }
            let plan = RoundPlan(cursors: cursors, target: target)
            metrics.target(target)
            state.target = target
            if plan.segments.isEmpty {
                try await waitAtTip(target, &events, &state, &progress)
                try await record(&events, &state, &progress)
            } else {
                let contracts = (snapshot.trackedContracts ?? [:]).mapValues { $0.map(\.hex) }
                try await process(plan, cursors, target, contracts, &events, &state, &progress)
            }
        }
    }

    /// Lets the writer finish what it has under way.
    func quiesce(_ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog) async {
        desk.halt(&state)
        var ticks = 0
        while !state.writerStopped, state.roster.writer != nil, ticks < 30, let event = await events.next(isolation: #isolation) {
            if case .tick = event { ticks += 1 }
            // A second signal, or another worker's death, changes nothing any more.
            try? desk.take(event, &state)
        }
    }

    // MARK: rounds

    /// Decides for each remaining protocol what its cursor means.
    private func judge(_ snapshot: HistorySnapshot, _ state: inout RunState) {
        for id in state.remaining {
            let committed = state.committed[id] ?? 0
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(id), floor: state.floor[id] ?? committed, committed: committed,
                attempted: state.attempted[id] ?? committed, latest: snapshot.latestLedger)
            switch verdict {
            case .ours(let ledger) where ledger > snapshot.latestLedger:
                let numbers = "it stands at \(ledger), past the latest ingested ledger (\(snapshot.latest))"
                leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &state)
            case .ours(let ledger):
                if ledger != committed {
                    logger.notice(
                        ledger > committed
                            ? "cursor found past the last report: a commit whose report was lost"
                            : "cursor found before the last report: the server lost its last commits in a crash; they are done again",
                        metadata: ["protocol": "\(id.rawValue)", "cursor": "\(ledger)", "reported": "\(committed)"])
                }
                state.committed[id] = ledger
                state.floor[id] = ledger
                state.attempted[id] = ledger
                metrics.cursor(id, ledger)
            case .handoff(let ledger):
                handOff(id, at: ledger, seen: "in the snapshot", through: max(committed, state.attempted[id] ?? 0), &state)
            case .foreign(let numbers):
                leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &state)
            }
        }
    }

    /// - Parameter through: the last ledger that this run can have committed.
    private func handOff(_ id: ProtocolID, at cursor: UInt32, seen: String, through: UInt32, _ state: inout RunState) {
        let context: Logger.Metadata = [
            "protocol": "\(id.rawValue)", "migrated_through": "\(state.committed[id] ?? 0)", "cursor": "\(cursor)", "seen": "\(seen)",
        ]
        if through < state.target {
            logger.warning(
                """
                live ingestion takes a cursor over only where ledger \(state.target) is migrated, which this run has not done: if the cursor was moved \
                by a hand, the ledgers from \(through + 1) on may have no state changes
                """, metadata: context)
        }
        leave(id, .handoff(at: cursor), &state)
    }

    private func leave(_ id: ProtocolID, _ outcome: Outcome, _ state: inout RunState) {
        state.remaining.removeAll { $0 == id }
        state.outcomes[id] = outcome
        desk.drop(id, &state)
        switch outcome {
        case .handoff(let ledger):
            metrics.handoff(id)
            logger.notice(
                "HANDOFF: live ingestion owns the cursor now, it stands at the latest ingested ledger",
                metadata: ["protocol": "\(id.rawValue)", "migrated_through": "\(state.committed[id] ?? 0)", "cursor": "\(ledger)"])
        case .converged(let ledger):
            metrics.converged(id)
            let why =
                configuration.acceptConvergence
                ? "no further ledger came within the wait, and convergence was accepted with --accept-convergence"
                : "no further ledger came within the wait, and live ingestion is not running"
            logger.notice(
                "CONVERGED: \(why); live ingestion will go on from here when it starts",
                metadata: ["protocol": "\(id.rawValue)", "migrated_through": "\(ledger)", "cursor": "\(ledger)"])
        case .failed(let cause):
            logger.error("protocol failed", metadata: ["protocol": "\(id.rawValue)", "cause": "\(cause)"])
        }
    }

    /// One round: from the cursors to the target. An interruption ends it early; the next round reads the database again.
    private func process(
        _ plan: RoundPlan, _ cursors: [ProtocolID: UInt32], _ target: UInt32, _ contracts: [ProtocolID: [String]],
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) {
        state.epoch += 1
        let board = BatchBoard(
            plan: plan, batchLength: configuration.batchSize,
            window: .forFetchers(max(state.roster.fetchers.count, configuration.fetchers), batchSize: configuration.batchSize))
        // At the tip, while live ingestion passes ledgers by, rounds of a ledger or two come by the dozen.
        let level: Logger.Level = state.epoch > 1 && plan.ledgerCount < Self.fewLedgers ? .debug : .info
        logger.log(
            level: level,
            "round begins",
            metadata: [
                "round": "\(state.epoch)", "target": "\(target)", "ledgers": "\(plan.ledgerCount)",
                "cursors": "\(cursors.map { "\($0.key.rawValue)=\($0.value)" }.sorted().joined(separator: " "))",
                "contracts": "\(contracts.map { "\($0.key.rawValue)=\($0.value.count)" }.sorted().joined(separator: " "))",
            ])
        progress.begin(ledgers: plan.ledgerCount)
        desk.begin(Round(epoch: state.epoch, cursors: cursors, contracts: contracts, board: board), &state)
        while true {
            try await until(&events, &state, &progress) { $0.lookDue || $0.round?.needsAttention ?? true }
            if state.lookDue { try await look(&events, &state, &progress) }
            if let swaps = state.round?.failedSwaps, !swaps.isEmpty { try await verify(swaps, &events, &state, &progress) }
            try await record(&events, &state, &progress)
            // The round is gone where the lock session was lost over one of these.
            guard let round = state.round else { return }
            if let failure = round.failure { throw .failure(failure) }
            if let reason = round.interrupted {
                logger.warning(
                    "round interrupted, the next one begins where the database stands",
                    metadata: ["round": "\(round.epoch)", "cause": "\(reason)"])
                for id in state.remaining { state.floor[id] = state.starts[id] }
                desk.halt(&state)
                return
            }
            if round.board.isComplete {
                // Whatever was handed out has been reported: the cursor can only be where the writer said.
                for id in state.remaining {
                    state.attempted[id] = state.committed[id]
                    state.floor[id] = state.committed[id]
                }
                logger.log(level: level, "round complete", metadata: ["round": "\(round.epoch)", "target": "\(target)"])
                state.round = nil
                return
            }
        }
    }

    /// Looks after the cursors while a round runs: a protocol that was at the tip already may have been handed off, and a cursor that a hand has moved
    /// is better told at once than at the next swap. It also notices within a second that the session with the locks is gone.
    private func look(_ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog) async throws(RunStopped) {
        state.lookDue = false
        let asked = state.committed
        let snapshot = try await read(withContracts: false, &events, &state, &progress)
        guard state.round != nil else { return }
        for id in state.remaining {
            let committed = asked[id] ?? 0
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(id), floor: min(state.floor[id] ?? committed, committed), committed: committed,
                attempted: state.attempted[id] ?? committed, latest: snapshot.latestLedger)
            switch verdict {
            case .ours: break
            case .handoff(let ledger):
                handOff(id, at: ledger, seen: "while the round runs", through: max(committed, state.attempted[id] ?? 0), &state)
            case .foreign(let numbers): leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &state)
            }
        }
    }

    /// A swap failed: live ingestion took the cursor over, or something else touched it. One snapshot tells.
    private func verify(
        _ swaps: [Round.FailedSwap], _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) {
        state.round?.failedSwaps.removeAll { swap in swaps.contains { $0.id == swap.id } }
        let snapshot = try await read(&events, &state, &progress)
        // Without a round the lock session was lost over the question: the next round judges the cursors.
        guard state.round != nil else { return }
        for swap in swaps where state.remaining.contains(swap.id) {
            let committed = state.committed[swap.id] ?? 0
            logger.info(
                "cursor swap failed, verifying",
                metadata: [
                    "protocol": "\(swap.id.rawValue)", "attempted": "\(committed)->\(swap.attempted)", "found": "\(swap.found ?? "no row")",
                    "latest": "\(snapshot.latest)",
                ])
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(swap.id), floor: committed, committed: committed, attempted: committed,
                latest: snapshot.latestLedger)
            switch verdict {
            case .handoff(let ledger) where ledger >= swap.attempted:
                handOff(swap.id, at: ledger, seen: "by a failed swap", through: committed, &state)
            case .handoff(let ledger), .ours(let ledger):
                let numbers = "the swap to \(swap.attempted) found \(swap.found ?? "no row"), and now it stands at \(ledger)"
                leave(swap.id, .failed("cursor \(CursorNames.history(swap.id)): \(numbers)"), &state)
            case .foreign(let numbers):
                leave(swap.id, .failed("cursor \(CursorNames.history(swap.id)): \(numbers)"), &state)
            }
        }
    }

    // MARK: the tip

    /// All remaining protocols stand at the target: waits for the next ledger, for a handoff, or for the certainty that nobody else will come.
    private func waitAtTip(
        _ target: UInt32, _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) {
        let start = ContinuousClock.now
        var wait = TipWait(wait: configuration.convergenceWait, acceptConvergence: configuration.acceptConvergence, at: .zero)
        var told = state.tip?.toldThatOnlyHandoffEnds ?? false
        if state.tip == nil {
            logger.info(
                "caught up with the latest ingested ledger, waiting for the next one or for live ingestion to take over",
                metadata: ["ledger": "\(target)", "wait": "\(configuration.convergenceWait)"])
        }
        var looks = 0
        while true {
            let asked = ContinuousClock.now - start
            let runs = try await liveIngestionRuns(&events, &state, &progress)
            let snapshot = try await read(withContracts: false, &events, &state, &progress)
            let moved = snapshot.latest != .ledger(target) || state.remaining.contains { snapshot.reading($0) != .ledger(target) }
            var networkTip = state.tip?.networkTip
            if looks % Self.looksPerTip == 0 {
                networkTip = try await asking(&events, &state, &progress) { await tip.latest() }
                if let networkTip { metrics.networkTip(networkTip) }
            }
            looks += 1
            let decision = wait.decide(liveIngestionRuns: runs, moved: moved, at: asked)
            if decision == .waitForLiveIngestion, !told {
                told = true
                let why = configuration.network == nil ? "is taken to run (no --network was given)" : "runs"
                logger.info(
                    "no ledger came within the wait, but live ingestion \(why): only its taking over the cursor ends the migration",
                    metadata: ["ledger": "\(target)", "network_tip": "\(networkTip.map(String.init) ?? "unknown")"])
            }
            state.tip = .init(ledger: target, liveIngestionRuns: runs, networkTip: networkTip, toldThatOnlyHandoffEnds: told)
            switch decision {
            case .readAgain:
                return
            case .converged:
                for id in state.remaining { leave(id, .converged(at: target), &state) }
                return
            case .waitForLiveIngestion, .waitOn:
                _ = try await asking(&events, &state, &progress) { try await Task.sleep(for: Self.lookInterval) }
            }
        }
    }

    private func liveIngestionRuns(
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) -> Bool {
        guard let network = configuration.network else { return true }
        return try await answer(&events, &state, &progress) { try await database.liveIngestionRuns(network: network) }
    }

    // MARK: the database

    private func read(
        withContracts: Bool = true, _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) -> HistorySnapshot {
        let protocols = state.remaining
        return try await answer(&events, &state, &progress) {
            try await database.snapshot(of: protocols, withContracts: withContracts)
        }
    }

    /// Records how protocols ended, at once: whatever happens to the rest of the run, this is known.
    private func record(_ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog) async throws(RunStopped) {
        let (reached, failed) = state.unrecorded
        if reached.isEmpty && failed.isEmpty { return }
        let complete = try await answer(&events, &state, &progress) { try await database.record(reached: reached, failed: failed) }
        state.recorded.formUnion(complete.union(failed))
        for id in complete { metrics.ended(id, success: true) }
        for id in failed { metrics.ended(id, success: false) }
        for (id, ledger) in reached where !complete.contains(id) {
            logger.warning(
                "the cursor does not stand any more where the protocol was done, the server has lost its last commits in a crash: going on",
                metadata: ["protocol": "\(id.rawValue)", "reached": "\(ledger)"])
            state.outcomes[id] = nil
            state.remaining.append(id)
            state.floor[id] = state.starts[id]
        }
    }

    /// Asks the database; where the session with the locks is gone, the question is asked again when nothing is committed any more and the locks are back.
    private func answer<Answer: Sendable>(
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog,
        _ question: @escaping @Sendable () async throws -> MigrationDatabase.Reply<Answer>
    ) async throws(RunStopped) -> Answer {
        while true {
            switch try await asking(&events, &state, &progress, question) {
            case .answer(let answer): return answer
            case .sessionLost(let cause): try await regainLocks(cause, &events, &state, &progress)
            }
        }
    }

    private func regainLocks(
        _ cause: StoreError, _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) {
        logger.error(
            "the session that holds the migration locks is lost: nothing is committed until they are ours again",
            metadata: ["cause": "\(cause)", "round": "\(state.round.map { "\($0.epoch)" } ?? "none")"])
        if state.round != nil {
            desk.halt(&state)
            try await until(&events, &state, &progress) { $0.writerStopped || $0.roster.writer == nil || $0.hopeless != nil }
        }
        _ = try await asking(&events, &state, &progress) { try await database.restore() }
        logger.notice(
            "the migration locks are ours again", metadata: ["protocols": "\(state.remaining.map(\.rawValue).joined(separator: " "))"])
        // The server may have crashed, and its last commits with it.
        for id in state.remaining { state.floor[id] = state.starts[id] }
        state.target = 0
    }

    // MARK: events

    /// Takes events until the condition holds.
    private func until(
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog, _ holds: (RunState) -> Bool
    ) async throws(RunStopped) {
        while !holds(state) {
            guard let event = await events.next(isolation: #isolation) else { throw .failure("the event loop ended") }
            try take(event, &state, &progress)
        }
    }

    private func asking<Answer: Sendable>(
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog,
        _ question: @escaping @Sendable () async throws -> Answer
    ) async throws(RunStopped) -> Answer {
        try await EventWait.answer(&events, report, to: question) { event throws(RunStopped) in try take(event, &state, &progress) }
    }

    private func take(_ event: CoordinatorEvent, _ state: inout RunState, _ progress: inout ProgressLog) throws(RunStopped) {
        try desk.take(event, &state)
        if case .tick = event {
            state.lookDue = true
            progress.tick(state)
        }
    }
}

extension HistorySnapshot {
    fileprivate func reading(_ id: ProtocolID) -> CursorReading { historyCursors[id] ?? .missing }

    /// 0 where there is none: no cursor is equal to that and past ours.
    fileprivate var latestLedger: UInt32 { if case .ledger(let ledger) = latest { ledger } else { 0 } }
}
