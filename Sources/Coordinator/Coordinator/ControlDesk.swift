import Glibc
import Logging
import Membership
import Operations
import Pipeline
import Protocols
import ZeroMQ

/// Everything that can happen to the coordinator.
enum CoordinatorEvent: Sendable {
    case message(PeerID, Envelope<WorkerMessage>)
    case worker(WorkerSupervisor.Event)
    case tick
    case signal(name: String, exitCode: Int32)
    /// A question to the database or the RPC has been answered.
    case answered
    /// Something that must not end has ended.
    case broken(String)
}

/// Carries out what a message, a death or a heartbeat means: registers workers, hands out batches, notes what was committed.
/// Decisions about rounds and protocols are the `Migration`'s.
struct ControlDesk: Sendable {
    let run: RunID
    let protocols: [ProtocolID]
    let switchboard: Switchboard
    let batchSize: Int
    /// The workers are processes of this coordinator: one that is silent is killed, so that its supervisor starts another.
    let managed: Bool
    let metrics: MigrationMetrics
    let logger: Logger

    /// Takes one event. Signals are thrown as `RunStopped`.
    func take(_ event: CoordinatorEvent, _ state: inout RunState) throws(RunStopped) {
        switch event {
        case .message(let peer, let envelope):
            take(envelope, from: peer, &state)
        case .worker(.exited(let role, let pid, let status)):
            logger.warning("worker exited", metadata: ["role": "\(role.rawValue)", "worker_pid": "\(pid)", "status": "\(status)"])
            if let worker = state.roster.workers.first(where: { $0.hello.pid == pid }) {
                lose(worker, "its process exited (\(status))", &state)
            }
        case .worker(.hopeless(let role, let status)):
            throw .failure("the \(role.rawValue) process dies as soon as it is started (\(status)); its own log lines say why")
        case .tick:
            tick(&state)
        case .signal(let name, let exitCode):
            throw .signal(name: name, exitCode: exitCode)
        case .broken(let cause):
            throw .failure(cause)
        case .answered:
            break
        }
        assign(&state)
    }

    /// Begins an epoch: the writer learns the cursors, the fetchers the writer and the contracts.
    func begin(_ round: Round, _ state: inout RunState) {
        state.round = round
        guard let writer = state.roster.writer else {
            state.round?.interrupted = "there is no writer"
            return
        }
        switchboard.send(.commit(epoch: round.epoch, cursors: round.cursors), to: writer.peer, worker: writer.id)
        for fetcher in state.roster.fetchers { brief(fetcher, state) }
    }

    /// Ends an epoch early: fetchers drop their work, the writer finishes its transaction and says so.
    func halt(_ state: inout RunState) {
        state.round = nil
        state.writerStopped = false
        for worker in state.roster.workers { switchboard.send(.halt, to: worker.peer, worker: worker.id) }
    }

    /// A protocol takes no further part.
    func drop(_ id: ProtocolID, _ state: inout RunState) {
        state.round?.board.drop(id)
        for worker in state.roster.workers { switchboard.send(.drop(protocolID: id), to: worker.peer, worker: worker.id) }
    }

    /// Tells all workers that the run is over.
    func end(_ state: RunState) {
        for worker in state.roster.workers { switchboard.send(.end, to: worker.peer, worker: worker.id) }
    }

    private func take(_ envelope: Envelope<WorkerMessage>, from peer: PeerID, _ state: inout RunState) {
        if case .hello(let hello) = envelope.body { return register(hello, peer, &state) }
        guard let worker = state.roster.worker(at: peer), envelope.run == run, envelope.worker == worker.id else {
            // A worker of an earlier run, or one that was given up: it has to begin anew.
            logger.debug("dropped: from an unknown worker", metadata: ["run": "\(envelope.run)", "worker": "\(envelope.worker)"])
            switchboard.send(.registerAgain, to: peer, worker: envelope.worker)
            return
        }
        state.roster.heard(peer)
        switch envelope.body {
        case .hello: break
        case .heartbeat(let holding, let counters):
            if let counters {
                metrics.fetched(counters, since: state.fetched[worker.id] ?? FetcherCounters())
                state.fetched[worker.id] = counters
                reconcile(worker, Set(holding), &state)
            }
        case .goodbye:
            lose(worker, "it took its leave", &state)
        case .writerReady:
            state.writerReady = true
            logger.info("writer is ready", metadata: ["worker": "\(worker.id)", "worker_pid": "\(worker.hello.pid)"])
        case .stopped:
            state.writerStopped = true
        case .ready(let epoch, let batches):
            if epoch == state.round?.epoch { state.round?.board.grant(batches, to: worker.id) }
        case .failed(let epoch, let batch, let reason, let permanent):
            if epoch == state.round?.epoch { fail(batch, on: worker.id, reason, permanent, &state) }
        case .refused(let epoch, let batch, let reason):
            if epoch == state.round?.epoch { fail(batch, on: nil, "the writer refused it: \(reason)", false, &state) }
        case .received(let epoch, let batch, let bytes):
            if epoch == state.round?.epoch { state.round?.board.received(batch, bytes: bytes) }
        case .committed(let epoch, let report):
            // Also after the round was halted: the transaction under way was finished, and counts.
            if epoch == state.epoch { note(report, &state) }
        case .interrupted(let epoch, let reason, let permanent):
            state.writerReady = false
            if permanent {
                state.hopeless = reason
                state.round?.failure = reason
            } else if epoch == state.round?.epoch {
                state.round?.interrupted = reason
            }
        }
    }

    private func register(_ hello: Hello, _ peer: PeerID, _ state: inout RunState) {
        guard hello.version == wireVersion else {
            logger.error(
                "worker refused: it speaks another version of the messages",
                metadata: [
                    "role": "\(hello.role.rawValue)", "host": "\(hello.host)", "worker_pid": "\(hello.pid)", "version": "\(hello.version)",
                ])
            return switchboard.send(.end, to: peer, worker: 0)
        }
        if hello.role == .writer, let old = state.roster.writer { lose(old, "another writer registered", &state) }
        let worker = state.roster.register(hello, at: peer)
        logger.info(
            "worker registered",
            metadata: ["role": "\(hello.role.rawValue)", "worker": "\(worker.id)", "host": "\(hello.host)", "worker_pid": "\(hello.pid)"])
        switchboard.send(.welcome(worker: worker.id, protocols: protocols), to: peer, worker: worker.id)
        if hello.role == .fetcher {
            state.round?.board.window = .forFetchers(state.roster.fetchers.count, batchSize: batchSize)
            brief(worker, state)
        }
    }

    /// Tells a fetcher about the epoch that is under way.
    private func brief(_ fetcher: Roster<PeerID>.Worker, _ state: RunState) {
        guard let round = state.round, let endpoint = state.roster.writer?.hello.rowsEndpoint else { return }
        switchboard.send(.fetch(epoch: round.epoch, writer: endpoint, contracts: round.contracts), to: fetcher.peer, worker: fetcher.id)
    }

    private func lose(_ worker: Roster<PeerID>.Worker, _ reason: String, _ state: inout RunState) {
        state.roster.remove(worker.peer)
        logger.warning(
            "worker lost", metadata: ["role": "\(worker.hello.role.rawValue)", "worker": "\(worker.id)", "reason": "\(reason)"])
        metrics.workersLost.add()
        switch worker.hello.role {
        case .writer:
            state.writerReady = false
            state.writerStopped = true
            state.round?.interrupted = "the writer was lost: \(reason)"
        case .fetcher:
            let batches = state.round?.board.lost(worker.id) ?? []
            if !batches.isEmpty {
                logger.info("batches taken back", metadata: ["worker": "\(worker.id)", "batches": "\(batches.map(\.id))"])
            }
            if let writer = state.roster.writer { switchboard.send(.giveUp(worker: worker.id), to: writer.peer, worker: writer.id) }
        }
    }

    private func tick(_ state: inout RunState) {
        for dead in state.roster.tick() {
            lose(dead, "nothing was heard of it", &state)
            if managed, dead.hello.host == Host.name { kill(dead.hello.pid, SIGKILL) }
        }
        for worker in state.roster.workers { switchboard.send(.heartbeat, to: worker.peer, worker: worker.id) }
    }

    private func reconcile(_ worker: Roster<PeerID>.Worker, _ holding: Set<BatchID>, _ state: inout RunState) {
        let lost = state.round?.board.heartbeat(of: worker.id, holding: holding) ?? []
        if !lost.isEmpty {
            logger.warning(
                "batches were lost on their way, taken back", metadata: ["worker": "\(worker.id)", "batches": "\(lost.map(\.id))"])
        }
    }

    private func fail(_ id: BatchID, on worker: WorkerID?, _ reason: String, _ permanent: Bool, _ state: inout RunState) {
        guard let verdict = state.round?.board.failed(id, on: worker) else { return }
        switch verdict {
        case .stale: break
        case .retry(let failures) where !permanent:
            logger.warning(
                "batch failed, it goes out again", metadata: ["batch": "\(id)", "failures": "\(failures)", "cause": "\(reason)"])
        case .retry:
            state.round?.failure = "batch \(id): \(reason)"
        case .giveUp(let batch):
            state.round?.failure =
                "batch \(id), ledgers \(batch.ledgers.lowerBound)-\(batch.ledgers.upperBound), failed too often: \(reason)"
        }
    }

    private func note(_ report: CommitReport, _ state: inout RunState) {
        for (id, swap) in report.swaps {
            switch swap {
            case .swapped:
                state.committed[id] = report.ledgers.upperBound
                state.rows[id, default: 0] += report.rows[id] ?? 0
                metrics.committed(id, through: report.ledgers.upperBound, rows: report.rows[id] ?? 0)
            case .found(let value):
                state.round?.failedSwaps.append(.init(id: id, attempted: report.ledgers.upperBound, found: value))
            }
        }
        if report.swaps.values.contains(.swapped) {
            state.ledgersCommitted += report.ledgers.count
            metrics.flushed(report)
        }
        state.round?.board.committed(through: report.ledgers.upperBound)
    }

    private func assign(_ state: inout RunState) {
        guard let epoch = state.round?.epoch, let made = state.round?.board.assignments(), !made.isEmpty else { return }
        for assignment in made {
            guard let worker = state.roster.worker(assignment.worker) else { continue }
            switchboard.send(.assign(epoch: epoch, batch: assignment.batch), to: worker.peer, worker: worker.id)
            logger.debug(
                "batch assigned",
                metadata: [
                    "epoch": "\(epoch)", "batch": "\(assignment.batch.id)", "ledgers": "\(assignment.batch.ledgers)",
                    "worker": "\(worker.id)",
                ])
        }
        for id in state.remaining { state.attempted[id] = max(state.attempted[id] ?? 0, state.round?.board.handedOut ?? 0) }
    }
}
