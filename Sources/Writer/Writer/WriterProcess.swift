import Logging
import Membership
import Pipeline
import Protocols
import ZeroMQ

/// The writer: takes batches from the fetchers in any order, commits them in ledger order, one transaction at a time, and reports each to the
/// coordinator. One loop takes all events; the database is talked to in child tasks, at most one at a time.
struct WriterProcess: Sendable {
    /// Everything that can happen to the writer.
    enum Event: Sendable {
        case link(CoordinatorLink.Event)
        case rows(Message)
        case database(DatabaseEvent)
        case stop(String)
    }

    /// What comes of the work at the database.
    enum DatabaseEvent: Sendable {
        case connected
        case unreachable(CommitFailure)
        case committed(Epoch, CommitOrder<Delivery>.Group, CommitReport)
        case failed(Epoch, CommitFailure)
    }

    /// Rows that are joined into one transaction at most, where several batches are ready.
    static let rowsPerTransaction = 10_000

    let link: CoordinatorLink
    let committer: Committer
    let logger: Logger
    let report: @Sendable (Event) -> Void

    private struct State {
        var order: CommitOrder<Delivery>?
        /// Deliveries of an epoch that is still to begin; no more than the coordinator's window.
        var early: [Message] = []
        var protocols: [ProtocolID] = []
        /// A task talks to the database.
        var busy = false
        var connected = false
        /// The coordinator has yet to hear that the database is at hand and nothing is under way.
        var announce = false
        /// The epoch is over; `stopped` is due when the transaction under way has ended.
        var halting = false
        /// Why the process ends when the transaction under way has ended.
        var ending: String?
        var failed = false
        var rows = 0
    }

    /// Works until the coordinator ends the run or a signal comes.
    /// - Returns: false where the database ended it.
    func run(_ events: AsyncStream<Event>) async -> Bool {
        var events = events.makeAsyncIterator()
        var state = State()
        return await withDiscardingTaskGroup(returning: Bool.self) { group in
            defer { group.cancelAll() }
            while let event = await events.next(isolation: #isolation) {
                take(event, &state)
                if !state.busy { proceed(&state, &group) }
                if let reason = state.ending, !state.busy {
                    logger.info("writer ends", metadata: ["reason": "\(reason)", "rows": "\(state.rows)"])
                    return !state.failed
                }
            }
            return true
        }
    }

    private func take(_ event: Event, _ state: inout State) {
        switch event {
        case .link(.registered(let run, _, let protocols)):
            if protocols != state.protocols { state.connected = false }
            state.protocols = protocols
            state.order = CommitOrder(run: run)
            state.early = []
            state.announce = true
        case .link(.lost):
            state.order?.end()
        case .link(.tick):
            link.send(.heartbeat(holding: [], counters: nil))
        case .link(.message(let message)):
            take(message, &state)
        case .rows(let message):
            take(message, &state)
        case .database(let event):
            state.busy = false
            take(event, &state)
        case .stop(let signal):
            state.ending = signal
            state.order?.end()
        }
    }

    private func take(_ message: CoordinatorMessage, _ state: inout State) {
        switch message {
        case .commit(let epoch, let cursors):
            state.halting = false
            state.order?.begin(epoch: epoch, cursors: cursors)
            let early = state.early
            state.early = []
            for message in early { take(message, &state) }
        case .giveUp(let worker):
            state.order?.giveUp(worker)
        case .drop(let id):
            state.order?.drop(id)
        case .halt:
            state.halting = true
            state.order?.end()
        case .end:
            state.ending = "the run is over"
            state.order?.end()
        case .welcome, .registerAgain, .heartbeat, .fetch, .assign:
            break
        }
    }

    private func take(_ message: Message, _ state: inout State) {
        guard var order = state.order else { return }
        do {
            let (header, delivery) = try Delivery.read(message)
            if order.isEarly(header) {
                logger.debug(
                    "delivery is early, kept until its epoch begins", metadata: ["epoch": "\(header.epoch)", "batch": "\(header.batch.id)"])
                return state.early.append(message)
            }
            let context: Logger.Metadata = [
                "epoch": "\(header.epoch)", "batch": "\(header.batch.id)", "ledgers": "\(header.batch.ledgers)",
                "fetcher": "\(header.worker)",
            ]
            let acceptance: CommitOrder<Delivery>.Acceptance
            var bytes = 0
            switch delivery {
            case .success(let delivery):
                bytes = delivery.bytes
                acceptance = order.accept(header, delivery)
            case .failure(let unfit):
                acceptance = order.epoch == header.epoch && order.run == header.run ? .refused(unfit.reason) : .stale(unfit.reason)
            }
            switch acceptance {
            case .accepted, .duplicate:
                link.send(.received(epoch: header.epoch, batch: header.batch.id, bytes: bytes))
            case .stale(let reason):
                logger.debug("delivery dropped", metadata: context.merging(["reason": "\(reason)"]) { $1 })
            case .refused(let reason):
                logger.warning("delivery refused", metadata: context.merging(["reason": "\(reason)"]) { $1 })
                link.send(.refused(epoch: header.epoch, batch: header.batch.id, reason: reason))
            }
        } catch {
            logger.warning("delivery dropped", metadata: ["cause": "\(error)"])
        }
        state.order = order
    }

    private func take(_ event: DatabaseEvent, _ state: inout State) {
        switch event {
        case .connected:
            state.connected = true
        case .unreachable(let failure):
            state.ending = "\(failure)"
            state.failed = true
            link.send(.interrupted(epoch: state.order?.epoch ?? 0, reason: "\(failure)", permanent: true))
        case .committed(let epoch, let group, let report):
            let swapped = report.swaps.filter { $0.value == .swapped }.map(\.key)
            if state.order?.epoch == epoch { state.order?.committed(group, for: swapped) }
            state.rows += report.rows.values.reduce(0, +)
            logger.debug(
                "committed",
                metadata: [
                    "ledgers": "\(report.ledgers)", "batches": "\(report.batches.count)", "rows": "\(report.rows.values.reduce(0, +))",
                ])
            link.send(.committed(epoch: epoch, report: report))
        case .failed(let epoch, let failure):
            logger.error("commit failed", metadata: ["epoch": "\(epoch)", "cause": "\(failure)"])
            state.order?.end()
            if failure.connectionLost {
                state.connected = false
                state.announce = true
            }
            link.send(.interrupted(epoch: epoch, reason: "\(failure)", permanent: !failure.connectionLost))
        }
    }

    /// Gives the database its next task, if there is one.
    private func proceed(_ state: inout State, _ group: inout DiscardingTaskGroup) {
        if state.halting {
            state.halting = false
            link.send(.stopped)
        }
        guard state.ending == nil, !state.protocols.isEmpty else { return }
        if !state.connected {
            state.busy = true
            let protocols = state.protocols
            group.addTask { report(.database(await connect(protocols))) }
            return
        }
        if state.announce {
            state.announce = false
            link.send(.writerReady)
        }
        do {
            guard let order = state.order, let next = try order.nextGroup(maxRows: Self.rowsPerTransaction) else { return }
            state.busy = true
            group.addTask { report(.database(await commit(next, epoch: order.epoch))) }
        } catch {
            logger.warning("batch refused", metadata: ["batch": "\(error.batch.id)", "reason": "\(error)"])
            state.order?.remove(error.batch)
            link.send(.refused(epoch: state.order?.epoch ?? 0, batch: error.batch.id, reason: "\(error)"))
        }
    }

    private func connect(_ protocols: [ProtocolID]) async -> DatabaseEvent {
        do {
            try await committer.connect(protocols)
            return .connected
        } catch {
            return .unreachable(error)
        }
    }

    private func commit(_ group: CommitOrder<Delivery>.Group, epoch: Epoch) async -> DatabaseEvent {
        do {
            return .committed(epoch, group, try await committer.commit(group))
        } catch {
            return .failed(epoch, error)
        }
    }
}
