import Glibc
import LedgerSources
import Logging
import Membership
import Operations
import Pipeline
import Protocols
import StateChanges
import ZeroMQ

/// What a fetcher is started with, validated.
struct FetcherConfiguration: Sendable {
    let worker: WorkerSettings
    let source: LedgerSourceSettings
    /// Requests in flight at most.
    let concurrency: Int
    /// Ledgers per request at most; the source chooses within it by what the server manages.
    let pageSize: Int
    let metricsPort: Int?
}

/// A fetcher: asks the coordinator for batches, requests their ledgers, turns them into rows and offers these to the writer. One loop takes all events;
/// `FetchScheduler` and `RoundGate` decide, tasks carry out what takes time.
struct FetcherProcess: Sendable {
    typealias Service = WorkerService<FetcherChannel, Local>

    /// What happens in the fetcher itself.
    enum Local: Sendable {
        /// Whether the source is of use; checked for the registration with this number.
        case source(registration: Int, Result<Void, LedgerSourceError>)
        /// The contracts of a round; nil where they are malformed.
        case contracts(RoundNumber, RoundGate.Contracts?)
        case fetched(id: Int, Result<RequestProcessor.Outcome, Scheduler.Failure>, seconds: Double)
        case reply(RowsReply)
    }

    /// What a fetcher has in one round.
    private struct Round {
        let number: RoundNumber
        var scheduler: Scheduler
        let tracked: TrackedContracts
        let rows: DealerSocket
        let replies: Task<Void, Never>
        /// By the number of the request.
        var requests: [Int: Task<Void, Never>] = [:]

        func end() {
            replies.cancel()
            for request in requests.values { request.cancel() }
            rows.close(linger: .zero)
        }
    }

    private struct State {
        var run = RunID(rawValue: "")
        var worker: WorkerID = 0
        var registrations = 0
        var gate = RoundGate()
        var sourceCheck: Task<Void, Never>?
        var round: Round?
        var nextNumber = 1
        var counters = FetcherCounters()
        /// Of the ledgers that were measured: all seconds, and those that went into rows.
        var measured = (seconds: 0.0, rows: 0.0)

        mutating func endRound() {
            if let round { nextNumber = round.scheduler.nextNumber }
            round?.end()
            round = nil
        }
    }

    /// How a fetcher ends.
    private enum End { case inGoodOrder(String), unfit(String) }

    let source: any LedgerSource
    let limits: Scheduler.Limits
    let service: Service
    let metrics = FetcherMetrics()
    let logger: Logger
    private static let sourcePause = Duration.seconds(5)

    /// A fetcher as a process: until the coordinator ends the run or a signal comes.
    /// - Returns: false where its source is of no use.
    static func run(_ configuration: FetcherConfiguration, logger: Logger) async throws -> Bool {
        // A request is tried for a minute; then its batch goes back and may be tried elsewhere.
        var rpc = LedgerSourceSettings.RPCLimits()
        rpc.concurrency = configuration.concurrency
        rpc.pageSize = configuration.pageSize
        let source = try configuration.source.open(retryingFor: .seconds(60), rpc: rpc, logger: logger)
        var limits = Scheduler.Limits()
        limits.firstLength = 1
        let service = try Service(configuration.worker, logger: logger)
        let process = FetcherProcess(source: source, limits: limits, service: service, logger: logger)
        let server = configuration.metricsPort.map {
            OperationsServer(port: $0, registry: process.metrics.registry, logger: logger) { [notReady = process.metrics.notReady] in
                notReady.readiness
            }
        }
        let inGoodOrder = try await service.run(metrics: server) { await process.run($0) }
        await source.shutdown()
        return inGoodOrder
    }

    private func run(_ events: AsyncStream<Service.Event>) async -> Bool {
        var state = State()
        defer {
            state.sourceCheck?.cancel()
            state.endRound()
        }
        for await event in events {
            if let end = await take(event, &state) {
                switch end {
                case .inGoodOrder(let reason):
                    logger.info("fetcher ends", metadata: ["reason": "\(reason)", "ledgers": "\(state.counters.ledgers)"])
                    return true
                case .unfit(let reason):
                    logger.critical("the source is of no use", metadata: ["cause": "\(reason)"])
                    return false
                }
            }
            if let opening = state.gate.open() { await begin(opening, &state) }
        }
        return true
    }

    private func take(_ event: Service.Event, _ state: inout State) async -> End? {
        switch event {
        case .stop(let reason): return .inGoodOrder(reason)
        case .link(.end): return .inGoodOrder("the run is over")
        case .link(.registered(let run, let welcome)): register(run, welcome, &state)
        case .link(.lost), .link(.standBy):
            metrics.notReady.set(FetcherMetrics.withoutCoordinator)
            state.gate.halt()
            state.endRound()
        case .link(.tick):
            let holding = state.round?.scheduler.holding ?? []
            let requests = state.round?.requests.count ?? 0
            metrics.tick(source, requestsInFlight: requests, batchesHeld: holding.count)
            state.counters.cores = ProcessorLoad.cores
            state.counters.requestsInFlight = requests
            state.counters.retries = Dictionary(uniqueKeysWithValues: source.retriesByCause.map { ($0.rawValue, $1) })
            state.counters.responseBytes = source.bytesReceived
            service.link.send(.heartbeat(holding: holding, counters: state.counters))
            schedule(.tick, &state)
        case .link(.command(let command, let frames)): take(command, frames, &state)
        case .local(.source(let registration, let result)):
            guard registration == state.registrations else { return nil }
            switch result {
            case .success: state.gate.sourceFits()
            case .failure(let error):
                service.link.send(.unfit(reason: "\(error)"))
                return .unfit("\(error)")
            }
        case .local(.contracts(let round, let contracts)):
            if let reason = state.gate.decoded(contracts, for: round) {
                logger.error("contracts of no use, asking for the whole set", metadata: ["round": "\(round)", "reason": "\(reason)"])
                service.link.send(.contractsMissing(round: round))
            }
        case .local(.fetched(let id, let result, let seconds)):
            state.round?.requests[id] = nil
            switch result {
            case .success(let outcome):
                metrics.fetched(outcome, seconds: seconds)
                count(outcome, seconds, &state)
                schedule(.fetched(id: id, outcome.rows), &state)
            case .failure(let failure):
                metrics.fetched(nil, seconds: seconds)
                state.counters.fetchSeconds += seconds
                schedule(.failed(id: id, failure), &state)
            }
        case .local(.reply(let reply)): schedule(.reply(reply), &state)
        }
        return nil
    }

    private func count(_ outcome: RequestProcessor.Outcome, _ seconds: Double, _ state: inout State) {
        logger.debug(
            "ledgers fetched and decoded",
            metadata: [
                "ledgers": "\(outcome.rows.ledgers)", "rows": "\(outcome.rows.counts.reduce(0, +))", "bytes": "\(outcome.rows.bytes)",
                "seconds": "\(seconds)", "decode_seconds": "\(outcome.seconds)",
            ])
        state.measured.seconds += outcome.measured.seconds
        state.measured.rows += outcome.measured.rows
        let share = state.measured.seconds > 0 ? min(1, state.measured.rows / state.measured.seconds) : 0
        state.counters.ledgers += outcome.rows.ledgers.count
        state.counters.fetchSeconds += max(0, seconds - outcome.seconds)
        state.counters.extractSeconds += outcome.seconds * (1 - share)
        state.counters.processSeconds += outcome.seconds * share
        state.counters.ignoredEvents += outcome.ignoredEvents
    }

    // MARK: Registration and rounds

    private func register(_ run: RunID, _ welcome: Welcome, _ state: inout State) {
        state.endRound()
        metrics.registered()
        state.run = run
        state.worker = welcome.worker
        state.registrations += 1
        state.gate.register()
        state.sourceCheck?.cancel()
        state.sourceCheck = Task { [registration = state.registrations] in
            await checkSource(welcome.networkPassphrase, registration)
        }
    }

    /// Asks the source which network it is on for as long as it takes to hear it.
    private func checkSource(_ passphrase: String, _ registration: Int) async {
        while !Task.isCancelled {
            do throws(LedgerSourceError) {
                try await source.requireNetwork(passphrase)
                return service.report(.source(registration: registration, .success(())))
            } catch {
                if error.code == .wrongNetwork { return service.report(.source(registration: registration, .failure(error))) }
                if Task.isCancelled { return }
                logger.warning("the source does not say which network it is on, asking again", metadata: ["cause": "\(error)"])
            }
            try? await Task.sleep(for: Self.sourcePause)
        }
    }

    private func take(_ command: FetcherCommand, _ frames: [Frame], _ state: inout State) {
        switch command {
        case .begin(let round, let writer, let reference):
            state.endRound()
            let known = state.gate.contracts?.set
            switch state.gate.begin(round, writer: writer, reference) {
            case .none: break
            case .askForWhole: service.link.send(.contractsMissing(round: round))
            case .decodeWhole: decode(frames.first, for: round) { bytes throws(ContractSetError) in try ContractSet(decoding: bytes) }
            case .decodeAdditions:
                decode(frames.first, for: round) { bytes throws(ContractSetError) in try (known ?? .empty).adding(bytes) }
            }
        case .assign(let round, let batches): if state.round?.number == round { schedule(.assigned(batches), &state) }
        case .revoke(let round, let batches): if state.round?.number == round { schedule(.revoked(batches), &state) }
        case .halt:
            state.gate.halt()
            state.endRound()
        }
    }

    private func decode(
        _ frame: Frame?, for round: RoundNumber, _ read: @escaping @Sendable (RawSpan) throws(ContractSetError) -> ContractSet
    ) {
        Task {
            do {
                guard let frame else { throw Wire.Malformed(expected: "set of contracts", reason: "the message has no second frame") }
                service.report(.contracts(round, RoundGate.Contracts(try frame.withBytes(read))))
            } catch {
                logger.error("contracts not read", metadata: ["round": "\(round)", "cause": "\(error)"])
                service.report(.contracts(round, nil))
            }
        }
    }

    private func begin(_ opening: RoundGate.Opening, _ state: inout State) async {
        state.endRound()
        let rows: DealerSocket
        do {
            rows = try await service.loop.connectDealer(opening.writer)
        } catch {
            return logger.error("no connection to the writer", metadata: ["round": "\(opening.round)", "cause": "\(error)"])
        }
        let replies = Task { [service, logger] in
            do {
                for try await message in rows.messages {
                    guard let frame = message.frames.first else { continue }
                    do throws(Wire.Malformed) {
                        service.report(.reply(try Wire.decode(RowsReply.self, from: frame)))
                    } catch {
                        logger.warning("message dropped", metadata: ["cause": "\(error)"])
                    }
                }
            } catch {
                logger.debug("the socket for rows has failed", metadata: ["cause": "\(error)"])
            }
        }
        logger.debug("round begins", metadata: ["round": "\(opening.round)", "contracts": "\(opening.contracts.set.count)"])
        var limits = limits
        // A file is fetched whole, whatever is taken of it.
        limits.firstLength = max(limits.firstLength, source.ledgersPerFile)
        var scheduler = Scheduler(
            run: state.run, worker: state.worker, round: opening.round, limits: limits, firstNumber: state.nextNumber)
        scheduler.requestLength = { [source] in source.requestLength(from: $0, of: $1) }
        state.round = Round(
            number: opening.round, scheduler: scheduler, tracked: opening.contracts.tracked, rows: rows, replies: replies)
        schedule(nil, &state)
    }

    // MARK: Work

    /// Lets the scheduler take an event (nil: the round begins), and does what it wants.
    private func schedule(_ event: Scheduler.Event?, _ state: inout State) {
        guard let number = state.round?.number, let rows = state.round?.rows, let tracked = state.round?.tracked else { return }
        state.round?.scheduler.requestsInFlight = source.requestsInFlight
        // In place: a copy of the round would make each step copy the scheduler.
        let actions = if let event { state.round?.scheduler.take(event) } else { state.round?.scheduler.begin() }
        for action in actions ?? [] {
            switch action {
            case .request(let request):
                state.round?.requests[request.id] = Task { await fetch(request, tracked) }
            case .cancel(let id):
                state.round?.requests.removeValue(forKey: id)?.cancel()
            case .offer(let header):
                send(.offer(header), [], on: rows)
            case .send(let header, let pieces):
                // In the order of the header: protocol by protocol.
                send(.part(header), header.rows.indices.flatMap { index in pieces.compactMap { $0[index] } }, on: rows)
            case .withdraw(let part):
                send(.withdraw(run: state.run, round: number, worker: state.worker, number: part), [], on: rows)
            case .ready(let batches):
                service.link.send(.ready(round: number, batches: batches))
            case .failed(let batch, let reason, let isPermanent):
                logger.warning(
                    "batch given back",
                    metadata: [
                        "round": "\(number)", "batch": "\(batch.id)", "ledgers": "\(batch.ledgers)", "cause": "\(reason)",
                    ])
                service.link.send(.failed(round: number, batch: batch.id, reason: reason, permanent: isPermanent))
            }
        }
    }

    private func fetch(_ request: Scheduler.Request, _ tracked: TrackedContracts) async {
        let began = ContinuousClock.now
        let result: Result<RequestProcessor.Outcome, Scheduler.Failure>
        do throws(Scheduler.Failure) {
            result = .success(try await RequestProcessor.run(request, from: source, tracked: tracked, logger: logger))
        } catch {
            result = .failure(error)
        }
        // Rows that nobody waits for are let go here.
        if Task.isCancelled { return }
        service.report(.fetched(id: request.id, result, seconds: (ContinuousClock.now - began) / .seconds(1)))
    }

    private func send(_ message: RowsMessage, _ frames: [Frame], on socket: DealerSocket) {
        do {
            socket.send(Message([Frame(try Wire.encode(message))] + frames))
        } catch {
            logger.error("message not sent", metadata: ["cause": "\(error)"])
        }
    }
}
