import LedgerSources
import Logging
import Membership
import Pipeline
import Protocols
import StateChanges
import StellarXDR
import Store
import Synchronization
import ZeroMQ

/// Carries out what `CoordinatorMachine` decides: one loop of events, with the sockets, the worker processes, the database, the clock and the log around it.
struct CoordinatorService: Sendable {
    typealias Event = CoordinatorEvent<PeerID>
    typealias Machine = CoordinatorMachine<PeerID>

    let socket: ControlSocket
    let processes: WorkerProcesses
    let database: MigrationDatabase
    let tip: NetworkTip
    let observation: RunObservation
    let logger: Logger
    let contracts = ContractsPublication()

    init(
        socket: ControlSocket, processes: WorkerProcesses, database: MigrationDatabase, tip: NetworkTip, observation: RunObservation,
        logger: Logger
    ) {
        self.socket = socket
        self.processes = processes
        self.database = database
        self.tip = tip
        self.observation = observation
        self.logger = logger
    }

    /// Runs the machine to its end.
    /// - Parameters:
    ///   - events: what happens; signals come in here too.
    ///   - report: the other end of `events`.
    /// - Returns: the machine at its end, and what stopped it.
    func run(
        _ machine: Machine, _ events: inout AsyncStream<Event>.Iterator, report: @escaping @Sendable (Event) -> Void
    ) async -> (machine: Machine, cause: StopCause?) {
        await withDiscardingTaskGroup(returning: (Machine, StopCause?).self) { group in
            group.addTask {
                do {
                    try await socket.receive { report(.message($0, $1)) }
                } catch {
                    report(.stop(.failure("the coordinator's socket failed: \(error)")))
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: Heartbeat.interval)) != nil { report(.tick) }
            }
            group.addTask { await processes.run(report) }
            let end = await loop(machine, &events, report)
            group.cancelAll()
            return end
        }
    }

    private func loop(
        _ machine: Machine, _ events: inout AsyncStream<Event>.Iterator, _ report: @escaping @Sendable (Event) -> Void
    ) async -> (Machine, StopCause?) {
        var machine = machine
        var observation = observation
        let began = ContinuousClock.now
        var question: Task<Void, Never>?
        var pause: Task<Void, Never>?
        defer {
            question?.cancel()
            pause?.cancel()
        }
        // The first question is asked without anything having happened.
        var next: Event? = .wake
        while let event = next {
            let isTick = if case .tick = event { true } else { false }
            for action in machine.take(event, at: ContinuousClock.now - began) {
                switch action {
                case .send(let content, let peer, let worker):
                    socket.send(content, attachment: attachment(of: content), to: peer, worker: worker)
                case .ask(let query, let number): question = Task { await ask(query, number, report) }
                case .cancelQuery: question?.cancel()
                case .wake(let time):
                    pause = Task { if (try? await Task.sleep(for: time)) != nil { report(.wake) } }
                case .kill(let token): processes.kill(token)
                case .registered(let token): processes.registered(token)
                case .counted(let worker, let instance, let counters): observation.counted(worker, instance, counters)
                case .holds(let load): observation.holds(load)
                case .notice(let notice):
                    notice.log(to: logger)
                    observation.note(notice)
                case .finish(let cause):
                    observation.end(machine)
                    return (machine, cause)
                }
            }
            if isTick { observation.tick(machine) }
            next = await events.next(isolation: #isolation)
        }
        return (machine, .failure("the event loop ended"))
    }

    private func attachment(of content: CoordinatorContent) -> Frame? {
        guard case .fetcher(.begin(_, _, let reference)) = content else { return nil }
        return contracts.frame(for: reference)
    }

    /// Asks a question and reports what comes of it; nothing where it was cancelled.
    private func ask(_ query: Query, _ number: Int, _ report: @Sendable (Event) -> Void) async {
        let result: QueryResult
        do {
            result = try await response(to: query)
        } catch {
            result = .failed("\(error)")
        }
        if !Task.isCancelled { report(.result(result, number: number)) }
    }

    private func response(to query: Query) async throws -> QueryResult {
        switch query {
        case .round(let ids):
            return try await QueryResult(database.snapshot(of: ids, withContracts: true)) { snapshot in
                .snapshot(
                    Snapshot(
                        latest: snapshot.latest, oldest: snapshot.oldest, cursors: snapshot.historyCursors,
                        contracts: try contracts.publish(snapshot.trackedContracts ?? .empty)))
            }
        case .cursors(let ids):
            return try await QueryResult(database.snapshot(of: ids, withContracts: false)) {
                .snapshot(Snapshot(latest: $0.latest, oldest: $0.oldest, cursors: $0.historyCursors))
            }
        case .liveIngestion(let network):
            return try await QueryResult(database.liveIngestionRuns(network: network)) { .liveIngestion(runs: $0) }
        case .networkTip: return .networkTip(await tip.latest())
        case .record(let reached, let failed):
            return try await QueryResult(database.record(reached: reached, failed: failed)) { .recorded($0) }
        case .recordAtEnd(let reached, let failed, let isUrgent):
            return .recorded(try await database.recordAtTheEnd(reached: reached, failed: failed, isUrgent: isUrgent))
        case .moveForward(let cursors, let ledger):
            return try await QueryResult(database.moveForward(from: cursors, to: ledger)) { .movedForward($0) }
        case .restoreLocks:
            try await database.restore()
            return .locksRestored
        }
    }
}

extension QueryResult {
    fileprivate init<Response>(_ reply: MigrationDatabase.Reply<Response>, _ make: (Response) throws -> QueryResult) throws {
        switch reply {
        case .response(let response): self = try make(response)
        case .sessionLost(let cause): self = .sessionLost("\(cause)")
        }
    }
}

/// The sets of tracked contracts as they are sent: encoded once, shared by all sends.
final class ContractsPublication: Sendable {
    private struct State {
        var set: ContractSet?
        var name: ContractsName?
        var whole: Frame?
        var additions: (base: String, frame: Frame)?
    }

    /// A set that no frame can hold.
    struct TooLarge: Error, CustomStringConvertible {
        let contracts: Int
        let bytes: Int
        let limit: Int

        var description: String {
            "\(contracts) contracts are tracked, \(bytes) bytes in a message to a fetcher, which holds at most \(limit): migrate fewer protocols at a time"
        }
    }

    private let state = Mutex(State())
    private let limit: Int

    /// - Parameter limit: bytes of the largest frame that a fetcher takes.
    init(limit: Int = ContractsPublication.longestFrame) { self.limit = limit }

    /// 8 million contracts; the same for both ends of a control socket.
    static let longestFrame = 256 << 20

    /// Makes a set the current one. Costs next to nothing where it is the current one already.
    /// - Throws: `TooLarge`.
    func publish(_ set: ContractSet) throws -> ContractsName {
        let last = state.withLock { $0 }
        if let name = last.name, name.digest == set.digest { return name }
        guard set.encoded.count <= limit else { throw TooLarge(contracts: set.count, bytes: set.encoded.count, limit: limit) }
        let additions = last.set.flatMap { base in set.additions(since: base).map { (base: base.digest, frame: Frame($0)) } }
        let name = ContractsName(
            digest: set.digest, base: additions?.base,
            counts: Dictionary(uniqueKeysWithValues: set.protocols.map { ($0, set.count(of: $0)) }))
        let whole = Frame(set.encoded)
        state.withLock { $0 = State(set: set, name: name, whole: whole, additions: additions) }
        return name
    }

    /// The second frame of a message that refers to the current set.
    func frame(for reference: ContractsReference) -> Frame? {
        state.withLock { state in
            guard reference.digest == state.name?.digest else { return nil }
            switch reference.attachment {
            case .none: return nil
            case .whole: return state.whole
            case .additions(let base): return state.additions?.base == base ? state.additions?.frame : nil
            }
        }
    }
}
