import Glibc
import LedgerSources
import Logging
import Membership
import Operations
import Pipeline
import Protocols
import Store
import ZeroMQ

/// `protocol-migrate history` from the first look at the database to the exit status: validate, process to the tip, complete.
struct HistoryRun: Sendable {
    let configuration: HistoryConfiguration
    let logger: Logger
    private let run = RunID.random()
    private let metrics = MigrationMetrics()
    /// What `/readyz` answers: the phase, until the rounds run.
    private let notReady = NotReadyReason("starting")

    init(configuration: HistoryConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs the migration; every cause of an end is logged here.
    func execute() async -> ExitStatus {
        TerminationSignals.ignoreBrokenPipes()
        let signals = await TerminationSignals()
        let (events, continuation) = AsyncStream<CoordinatorEvent>.makeStream()
        let report: @Sendable (CoordinatorEvent) -> Void = { continuation.yield($0) }
        return await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask {
                for await signal in signals {
                    report(.signal(name: "\(signal)", exitCode: signal.exitStatus.rawValue))
                }
                return nil
            }
            if let port = configuration.metricsPort {
                group.addTask { await serveMetrics(port, report) }
            }
            group.addTask { await phases(events, report) }
            var status: ExitStatus?
            while status == nil, let ended = await group.next() { status = ended }
            group.cancelAll()
            return status ?? .failure
        }
    }

    private func phases(_ events: AsyncStream<CoordinatorEvent>, _ report: @escaping @Sendable (CoordinatorEvent) -> Void) async
        -> ExitStatus
    {
        var events = events.makeAsyncIterator()
        let rpc: StellarRPC
        do {
            rpc = try StellarRPC(url: configuration.rpcURL, retry: RetryPolicy(total: .seconds(30)), logger: logger)
        } catch {
            logger.critical("migration not started", metadata: ["cause": "\(error)"])
            return .failure
        }
        let database = MigrationDatabase(
            configuration, applicationName: "wallet-backend migration, pid \(getpid()) on \(Host.name)", logger: logger)
        let status = await migrate(database, rpc, &events, report)
        await database.close()
        await rpc.shutdown()
        return status
    }

    private func migrate(
        _ database: MigrationDatabase, _ rpc: StellarRPC, _ events: inout CoordinatorLoop.Events,
        _ report: @escaping @Sendable (CoordinatorEvent) -> Void
    ) async -> ExitStatus {
        let prepared: Preparation?
        do {
            prepared = try await EventWait.answer(
                &events, report, to: { try await prepare(database, rpc) },
                taking: { event throws(RunStopped) in
                    switch event {
                    case .signal(let name, let exitCode): throw .signal(name: name, exitCode: exitCode)
                    case .broken(let cause): throw .failure(cause)
                    default: break
                    }
                })
        } catch {
            return told(error, "migration not started; nothing was written")
        }
        guard let prepared else { return .success }

        var state = RunState(protocols: prepared.protocols, cursors: prepared.starts.mapValues(\.ledger))
        var stopped: RunStopped?
        do {
            let group = try await WorkerGroup.open(configuration, run: run, logger: logger)
            let desk = ControlDesk(
                run: run, protocols: prepared.protocols, switchboard: group.switchboard, batchSize: configuration.batchSize,
                managed: configuration.fetchers > 0, metrics: metrics,
                logger: logger)
            let migration = Migration(
                configuration: configuration, desk: desk, database: database, tip: NetworkTip(rpc: rpc, logger: logger), metrics: metrics,
                logger: logger)
            notReady.set(nil)
            var loop = CoordinatorLoop(events, state, ProgressLog(logger: logger), desk, report: report)
            stopped = await group.run(report) { () async -> RunStopped? in
                defer { desk.end(loop.state) }
                return await work(migration, &loop)
            }
            state = loop.state
            await group.close()
        } catch {
            stopped = .failure("\(error)")
        }
        return await complete(state, stopped, database)
    }

    /// Phase 2, and the orderly end of whatever is under way after it.
    private func work(_ migration: Migration, _ loop: inout CoordinatorLoop) async -> RunStopped? {
        do throws(RunStopped) {
            try await migration.rounds(&loop)
            return nil
        } catch {
            logger.notice("stopping: the writer finishes its transaction", metadata: ["cause": "\(error)"])
            await loop.quiesce()
            return error
        }
    }

    private struct Preparation: Sendable {
        let protocols: [ProtocolID]
        let starts: [ProtocolID: CursorStart]
    }

    /// Phase 1. Nil: there is nothing to do.
    private func prepare(_ database: MigrationDatabase, _ rpc: StellarRPC) async throws -> Preparation? {
        try await database.open()
        let found = try await database.prerequisites(of: configuration.protocols)
        let verdict = try Validation.judge(configuration.protocols, found, names: configuration.cursorNames)
        for id in verdict.complete { logger.info("history is complete already, skipped", metadata: ["protocol": "\(id.rawValue)"]) }
        if verdict.toMigrate.isEmpty {
            logger.notice("nothing to migrate: every protocol's history is complete")
            return nil
        }
        try await rpc.requireNetwork(configuration.networkPassphrase)
        try await database.lock(verdict.toMigrate)
        let starts = try await database.begin(verdict.toMigrate)
        for id in verdict.toMigrate {
            guard let start = starts[id] else { continue }
            metrics.begin(id, at: start.ledger + 1)
            logger.notice("migrating", metadata: ["protocol": "\(id.rawValue)", "cursor": "\(start)", "run": "\(run)"])
        }
        return Preparation(protocols: verdict.toMigrate, starts: starts)
    }

    /// Phase 3: what was handed off or has converged is a success, everything else failed; the cause stands in the log.
    private func complete(_ state: RunState, _ stopped: RunStopped?, _ database: MigrationDatabase) async -> ExitStatus {
        var state = state
        let recorded = await record(&state, database)
        let allDone = recorded && state.remaining.isEmpty && state.outcomes.values.allSatisfy { $0.reached != nil }
        for id in state.outcomes.keys.sorted() + state.remaining {
            logger.notice(
                "result",
                metadata: [
                    "protocol": "\(id.rawValue)", "outcome": "\(state.outcomes[id]?.word ?? "STOPPED")",
                    "migrated_through": "\(state.committed[id] ?? 0)",
                    "rows": "\(state.rows[id] ?? 0)", "run": "\(run)",
                ])
        }
        guard let stopped else { return allDone ? .success : .failure }
        return told(stopped, "migration stopped; what was committed stays, the next run resumes at cursor + 1")
    }

    /// Sets the statuses that do not stand in the database yet; false where that was not possible.
    private func record(_ state: inout RunState, _ database: MigrationDatabase) async -> Bool {
        let reached = state.unrecorded.reached
        let failed = (state.unrecorded.failed + state.remaining).sorted()
        if reached.isEmpty && failed.isEmpty { return true }
        do {
            let complete = try await database.recordAtTheEnd(reached: reached, failed: failed)
            for id in complete { metrics.ended(id, success: true) }
            for id in failed { metrics.ended(id, success: false) }
            for (id, ledger) in reached where !complete.contains(id) {
                let cause = "the cursor does not stand at \(ledger) any more, where the protocol was done; run again"
                logger.error("protocol failed", metadata: ["protocol": "\(id.rawValue)", "cause": "\(cause)"])
                state.outcomes[id] = .failed(cause)
            }
            return true
        } catch {
            logger.critical(
                "history_migration_status could not be set; correct it by hand or run again",
                metadata: [
                    "complete": "\(reached.keys.sorted().map(\.rawValue).joined(separator: " "))",
                    "failed": "\(failed.map(\.rawValue).joined(separator: " "))", "cause": "\(error)",
                ])
            return false
        }
    }

    private func told(_ error: RunStopped, _ message: Logger.Message) -> ExitStatus {
        switch error {
        case .failure(let cause):
            logger.critical(message, metadata: ["cause": "\(cause)"])
            return .failure
        case .signal(let name, let exitCode):
            logger.notice(message, metadata: ["cause": "\(name)"])
            return ExitStatus(rawValue: exitCode)
        }
    }

    private func serveMetrics(_ port: Int, _ report: @Sendable (CoordinatorEvent) -> Void) async -> ExitStatus? {
        let server = OperationsServer(port: port, registry: metrics.registry, logger: logger) { [notReady] in
            notReady.readiness
        }
        do {
            try await server.run()
        } catch {
            report(.broken("\(error)"))
        }
        return nil
    }
}
