import Glibc
import LedgerSources
import Logging
import Membership
import Operations
import Pipeline
import StateChanges
import Store
import Timescale
import ZeroMQ

/// `protocol-migrate history` from the first look at the database to the exit status: validate, process to the tip, complete.
struct HistoryRun: Sendable {
    let configuration: HistoryConfiguration
    let logger: Logger
    private let identity: LogIdentity
    private let run: RunID
    private let metrics = MigrationMetrics()
    private let monitor: RunMonitor
    private let board: RunBoard
    /// What `/readyz` says: the phase, until the rounds run.
    private let notReady = NotReadyReason("starting")

    private typealias Event = CoordinatorEvent<PeerID>

    init(configuration: HistoryConfiguration, identity: LogIdentity, logger: Logger) {
        self.configuration = configuration
        self.identity = identity
        self.logger = logger
        run = RunID.random()
        var monitor = RunMonitor(run: run, at: UTCTime.now.seconds)
        board = RunBoard(monitor.enter(.validating, at: UTCTime.now.seconds))
        self.monitor = monitor
    }

    /// Runs the migration; every cause of an end is logged here.
    func execute() async -> ExitStatus {
        TerminationSignals.ignoreBrokenPipes()
        identity.set(run: run.rawValue)
        logger.notice("migration starts", metadata: ["version": "\(ProgramVersion.text)"])
        let signals = TerminationSignals(logger: logger)
        let (events, continuation) = AsyncStream<Event>.makeStream()
        let report: @Sendable (Event) -> Void = { continuation.yield($0) }
        return await withTaskGroup(of: ExitStatus?.self) { group in
            group.addTask {
                for await signal in signals {
                    report(.stop(.signal(name: "\(signal)", exitCode: signal.exitStatus.rawValue)))
                }
                return nil
            }
            if let port = configuration.metricsPort {
                group.addTask { await serve(server(port: port), report) }
            }
            if let page = configuration.statusPage {
                group.addTask {
                    await serve(server(host: page.host, port: page.port, pages: StatusPage.pages(of: board), what: "status page"), report)
                }
            }
            group.addTask { await phases(events, report) }
            var status: ExitStatus?
            while status == nil, let ended = await group.next() { status = ended }
            group.cancelAll()
            return status ?? .failure
        }
    }

    private func phases(_ events: AsyncStream<Event>, _ report: @escaping @Sendable (Event) -> Void) async -> ExitStatus {
        let source: any LedgerSource
        do {
            source = try configuration.source.open(retryingFor: .seconds(30), logger: logger)
        } catch {
            logger.critical("migration not started", metadata: ["cause": "\(error)"])
            return .failure
        }
        let database = MigrationDatabase(
            configuration, applicationName: "wallet-backend migration \(ProgramVersion.text), pid \(getpid()) on \(Host.name)",
            logger: logger)
        var events = events.makeAsyncIterator()
        let status = await migrate(database, source, &events, report)
        await database.close()
        await source.shutdown()
        return status
    }

    private func migrate(
        _ database: MigrationDatabase, _ source: any LedgerSource, _ events: inout AsyncStream<Event>.Iterator,
        _ report: @escaping @Sendable (Event) -> Void
    ) async -> ExitStatus {
        let verdict: Validation.Verdict
        switch await interruptible(&events, report, { try await validate(database, source) }) {
        case .success(let found): verdict = found
        case .failure(let cause): return ended(by: cause, "migration not started; nothing was written")
        }
        if verdict.toMigrate.isEmpty {
            logger.notice("nothing to migrate: every protocol's history is complete")
            return .success
        }
        if configuration.rebuilds {
            notReady.set("deleting the rows of a history that begins again")
            var monitor = monitor
            board.show(monitor.enter(.rebuilding, at: UTCTime.now.seconds))
            switch await interruptible(&events, report, { try await rebuild(verdict) }) {
            case .success: break
            case .failure(let cause):
                return ended(by: cause, "migration not started: the history may be deleted in part; run it again with --rebuild")
            }
        }
        let prepared: Preparation
        switch await interruptible(&events, report, { try await begin(verdict.toMigrate, database, source) }) {
        case .success(let preparation): prepared = preparation
        case .failure(let cause): return ended(by: cause, "migration not started; nothing was written")
        }

        var observation = RunObservation(
            metrics: metrics, monitor: monitor, board: board, display: ProgressDisplay(configuration.progress, logger: logger))
        let group: WorkerGroup
        do {
            group = try await WorkerGroup.open(configuration, run: run, logger: logger)
        } catch {
            let machine = prepared.machine(configuration, run)
            observation.end(machine)
            return await complete(machine, .failure("\(error)"), database)
        }
        notReady.set(nil)
        let service = CoordinatorService(
            socket: group.socket, processes: group.processes, database: database, tip: NetworkTip(source: source, logger: logger),
            observation: observation, logger: logger)
        let (machine, cause) = await service.run(prepared.machine(configuration, run), &events, report: report)
        await group.close()
        if configuration.statusPage != nil, cause?.isSignal != true { try? await Task.sleep(for: Self.lastLook) }
        return summarise(machine, cause)
    }

    /// The status page asks every second: so long it can still learn how the run has ended.
    private static let lastLook = Duration.milliseconds(1500)

    // MARK: phase 1

    private struct Preparation: Sendable {
        let protocols: [ProtocolID]
        let starts: [ProtocolID: CursorStart]
        let ledgersPerFile: Int

        func machine(_ configuration: HistoryConfiguration, _ run: RunID) -> CoordinatorService.Machine {
            let settings = MachineConfiguration(
                run: run, protocols: protocols, batchSize: configuration.batchSize,
                ledgersPerFile: ledgersPerFile, fetchers: configuration.fetchers,
                networkPassphrase: configuration.networkPassphrase, network: configuration.network,
                convergenceWait: configuration.convergenceWait, acceptConvergence: configuration.acceptConvergence,
                latestName: configuration.cursorNames.latest, oldestName: configuration.cursorNames.oldest,
                compressedChunks: configuration.compressedChunks)
            return CoordinatorService.Machine(settings, starts: starts.mapValues(\.ledger))
        }
    }

    /// Does a part of the preparation, unless a signal comes first.
    private func interruptible<Value: Sendable>(
        _ events: inout AsyncStream<Event>.Iterator, _ report: @escaping @Sendable (Event) -> Void,
        _ part: @escaping @Sendable () async throws -> Value
    ) async -> Result<Value, StopCause> {
        await withTaskGroup(of: Result<Value, StopCause>.self) { group in
            group.addTask {
                // Wakes the loop below, whatever comes of it.
                defer { report(.wake) }
                do {
                    return .success(try await part())
                } catch {
                    return .failure(error as? StopCause ?? .failure("\(error)"))
                }
            }
            defer { group.cancelAll() }
            while let event = await events.next(isolation: #isolation) {
                if case .stop(let cause) = event { return .failure(cause) }
                if case .wake = event { break }
            }
            return await group.next() ?? .failure(.failure("the preparation ended without a result"))
        }
    }

    /// Whether the protocols may be migrated. Writes nothing; the protocols' locks are held afterwards.
    private func validate(_ database: MigrationDatabase, _ source: any LedgerSource) async throws -> Validation.Verdict {
        try await database.open()
        let found = try await database.prerequisites(of: configuration.protocols)
        let verdict = try Validation.judge(
            configuration.protocols, found, names: configuration.cursorNames, rebuilds: configuration.rebuilds)
        for id in verdict.complete { logger.info("history is complete already, skipped", metadata: ["protocol": "\(id.rawValue)"]) }
        if verdict.toMigrate.isEmpty { return verdict }
        try await source.requireNetwork(configuration.networkPassphrase)
        if let needed = verdict.neededLedgers {
            try await source.requireLedgers(needed)
            try await requireChunks(from: needed.lowerBound, database, source)
        }
        try await database.lock(verdict.toMigrate)
        return verdict
    }

    private func rebuild(_ verdict: Validation.Verdict) async throws {
        for id in verdict.toMigrate where !verdict.toRebuild.contains(id) {
            logger.notice(
                "history is in progress: it goes on where it stands, and nothing of it is deleted", metadata: ["protocol": "\(id.rawValue)"]
            )
        }
        if !verdict.toRebuild.isEmpty { try await HistoryRebuild(configuration, logger: logger).run(verdict.toRebuild) }
    }

    private func begin(
        _ ids: [ProtocolID], _ database: MigrationDatabase, _ source: any LedgerSource
    ) async throws -> Preparation {
        let starts = try await database.begin(ids)
        for id in ids {
            guard let start = starts[id] else { continue }
            metrics.begin(id, at: start.ledger + 1)
            logger.notice("migrating", metadata: ["protocol": "\(id.rawValue)", "cursor": "\(start)"])
        }
        return Preparation(protocols: ids, starts: starts, ledgersPerFile: source.ledgersPerFile)
    }

    /// Says what there is of compressed chunks, and refuses to begin where they would be in the way.
    private func requireChunks(from ledger: UInt32, _ database: MigrationDatabase, _ source: any LedgerSource) async throws {
        let all = try await database.chunks()
        if all.compressed.isEmpty { return }
        // There are none beyond the latest ingested ledger.
        let survey = all.from(StateChangeTuple.timestamp(closeTime: try await source.closeTime(of: ledger)) ?? .max)
        if survey.compressed.isEmpty { return }
        logger.notice(
            "rows will go into compressed chunks",
            metadata: survey.metadata.merging(["mode": "\(configuration.compressedChunks.rawValue)"]) { $1 })
        for chunk in survey.chunks {
            logger.debug(
                "chunk",
                metadata: [
                    "chunk": "\(chunk.name)", "from": "\(chunk.period.from)",
                    "compressed": "\(chunk.isCompressed)",
                    "rows": "\(chunk.rows)", "batches": "\(chunk.batches)", "bytes": "\(chunk.bytes)",
                    "compressed_bytes": "\(chunk.compressedBytes)",
                ])
        }
        if let refusal = survey.refusal(configuration.compressedChunks) { throw StopCause.failure(refusal) }
    }

    // MARK: phase 3

    /// Without any round: what was marked in progress is marked failed.
    private func complete(
        _ machine: CoordinatorService.Machine, _ cause: StopCause, _ database: MigrationDatabase
    ) async -> ExitStatus {
        do {
            _ = try await database.recordAtTheEnd(reached: [:], failed: machine.remaining.sorted(), isUrgent: false)
        } catch {
            Notice.statusesNotSet(complete: [], failed: machine.remaining, cause: "\(error)").log(to: logger)
        }
        return summarise(machine, cause)
    }

    /// What was handed off or has converged is a success, everything else failed; the cause stands in the log.
    private func summarise(_ machine: CoordinatorService.Machine, _ cause: StopCause?) -> ExitStatus {
        if let cause { return self.ended(by: cause, "migration stopped; what was committed stays, the next run resumes at cursor + 1") }
        return machine.progress.allSatisfy { $0.outcome?.reached != nil && $0.isRecorded } ? .success : .failure
    }

    private func ended(by cause: StopCause, _ message: Logger.Message) -> ExitStatus {
        switch cause {
        case .failure(let text):
            logger.critical(message, metadata: ["cause": "\(text)"])
            return .failure
        case .signal(let name, let exitCode):
            logger.notice(message, metadata: ["cause": "\(name)"])
            return ExitStatus(rawValue: exitCode)
        }
    }

    private func server(
        host: String = "0.0.0.0", port: Int, pages: [OperationsPage] = [], what: String = "metrics"
    ) -> OperationsServer {
        OperationsServer(host: host, port: port, registry: metrics.registry, pages: pages, what: what, logger: logger) { [notReady] in
            notReady.readiness
        }
    }

    private func serve(_ server: OperationsServer, _ report: @Sendable (Event) -> Void) async -> ExitStatus? {
        do {
            try await server.run()
        } catch {
            report(.stop(.failure("\(error)")))
        }
        return nil
    }
}

/// The network's tip as the source of ledgers knows it: for the operator while the migration waits. It decides nothing, and so must hold nothing up.
struct NetworkTip: Sendable {
    let source: any LedgerSource
    let logger: Logger
    private static let patience = Duration.seconds(1)

    init(source: any LedgerSource, logger: Logger) {
        self.source = source
        self.logger = logger
    }

    /// The source's latest ledger; nil where it does not respond within a second.
    func latest() async -> UInt32? {
        await withTaskGroup(of: UInt32?.self) { group in
            group.addTask {
                do {
                    return try await source.latestLedger(near: nil, within: .zero)
                } catch {
                    logger.debug("the source does not say its tip", metadata: ["cause": "\(error)"])
                    return nil
                }
            }
            group.addTask {
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
