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
            if state.remaining.isEmpty { return }
            let cursors = state.committed.filter { state.remaining.contains($0.key) }
            let plan = RoundPlan(cursors: cursors, target: target)
            metrics.target(target)
            if plan.segments.isEmpty {
                try await waitAtTip(target, &events, &state, &progress)
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
                logger.info(
                    "live ingestion moved the cursor past ours",
                    metadata: ["protocol": "\(id.rawValue)", "committed": "\(committed)", "cursor": "\(ledger)"])
                leave(id, .handoff(at: ledger), &state)
            case .foreign(let numbers):
                leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &state)
            }
        }
    }

    private func leave(_ id: ProtocolID, _ outcome: Outcome, _ state: inout RunState) {
        state.remaining.removeAll { $0 == id }
        state.outcomes[id] = outcome
        desk.drop(id, &state)
        switch outcome {
        case .handoff(let ledger):
            metrics.handoff(id)
            logger.notice("HANDOFF: live ingestion owns the cursor now", metadata: ["protocol": "\(id.rawValue)", "cursor": "\(ledger)"])
        case .converged(let ledger):
            logger.notice(
                "CONVERGED: caught up, live ingestion will go on from here",
                metadata: ["protocol": "\(id.rawValue)", "cursor": "\(ledger)"])
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
        logger.info(
            "round begins",
            metadata: [
                "round": "\(state.epoch)", "target": "\(target)", "ledgers": "\(plan.ledgerCount)",
                "cursors": "\(cursors.map { "\($0.key.rawValue)=\($0.value)" }.sorted().joined(separator: " "))",
                "contracts": "\(contracts.map { "\($0.key.rawValue)=\($0.value.count)" }.sorted().joined(separator: " "))",
            ])
        progress.begin(ledgers: plan.ledgerCount)
        desk.begin(Round(epoch: state.epoch, cursors: cursors, contracts: contracts, board: board), &state)
        while true {
            try await until(&events, &state, &progress) { $0.round?.needsAttention ?? true }
            guard let round = state.round else { return }
            if let failure = round.failure { throw .failure(failure) }
            if !round.failedSwaps.isEmpty { try await verify(round.failedSwaps, &events, &state, &progress) }
            if let reason = round.interrupted {
                logger.warning(
                    "round interrupted, the next one begins where the database stands",
                    metadata: ["round": "\(round.epoch)", "cause": "\(reason)"])
                for id in state.remaining { state.floor[id] = state.starts[id] }
                desk.halt(&state)
                return
            }
            if state.round?.board.isComplete ?? true {
                // Whatever was handed out has been reported: the cursor can only be where the writer said.
                for id in state.remaining {
                    state.attempted[id] = state.committed[id]
                    state.floor[id] = state.committed[id]
                }
                logger.info("round complete", metadata: ["round": "\(round.epoch)", "target": "\(target)"])
                state.round = nil
                return
            }
        }
    }

    /// A swap failed: live ingestion took the cursor over, or something else touched it. One snapshot tells.
    private func verify(
        _ swaps: [Round.FailedSwap], _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) {
        state.round?.failedSwaps.removeAll { swap in swaps.contains { $0.id == swap.id } }
        let snapshot = try await read(&events, &state, &progress)
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
                leave(swap.id, .handoff(at: ledger), &state)
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
        var told = false
        logger.info("caught up, waiting for the next ledger", metadata: ["ledger": "\(target)"])
        while true {
            let asked = ContinuousClock.now - start
            let runs = try await liveIngestionRuns(&events, &state, &progress)
            let snapshot = try await read(withContracts: false, &events, &state, &progress)
            let moved = snapshot.latest != .ledger(target) || state.remaining.contains { snapshot.reading($0) != .ledger(target) }
            switch wait.decide(liveIngestionRuns: runs, moved: moved, at: asked) {
            case .readAgain:
                return
            case .converged:
                for id in state.remaining { leave(id, .converged(at: target), &state) }
                return
            case .waitForLiveIngestion where !told:
                told = true
                let height = await tip.latest()
                logger.info(
                    "no ledger came within the wait, but live ingestion runs: only its taking over the cursor ends the migration",
                    metadata: ["ledger": "\(target)", "network_tip": "\(height.map(String.init) ?? "unknown")"])
            case .waitForLiveIngestion, .waitOn:
                break
            }
            _ = try await asking(&events, &state, &progress) { try await Task.sleep(for: .milliseconds(250)) }
        }
    }

    private func liveIngestionRuns(
        _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) -> Bool {
        guard let network = configuration.network else { return true }
        return try await asking(&events, &state, &progress) { try await database.liveIngestionRuns(network: network) }
    }

    // MARK: events

    private func read(
        withContracts: Bool = true, _ events: inout Events, _ state: inout RunState, _ progress: inout ProgressLog
    ) async throws(RunStopped) -> HistorySnapshot {
        let protocols = state.remaining
        let (snapshot, reconnected) = try await asking(&events, &state, &progress) {
            try await database.snapshot(of: protocols, withContracts: withContracts)
        }
        if reconnected { for id in protocols { state.floor[id] = state.starts[id] } }
        return snapshot
    }

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
        if case .tick = event { progress.tick(state) }
    }
}

extension HistorySnapshot {
    fileprivate func reading(_ id: ProtocolID) -> CursorReading { historyCursors[id] ?? .missing }

    /// 0 where there is none: no cursor is equal to that and past ours.
    fileprivate var latestLedger: UInt32 { if case .ledger(let ledger) = latest { ledger } else { 0 } }
}
