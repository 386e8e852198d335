/// The workers that take part, how long each was silent, and who is given up for dead. `Peer` is the address of a connection.
public struct WorkerRegistry<Peer: Hashable & Sendable>: Hashable, Sendable {
    /// A registered worker.
    public struct Worker: Hashable, Sendable {
        /// Its number in the run.
        public let id: WorkerID
        /// Its connection.
        public let peer: Peer
        /// What it said of itself.
        public let hello: Hello
        /// The name of the set of contracts that was sent to it last.
        public var contracts: String?
        /// Heartbeat intervals since anything was heard of it.
        public fileprivate(set) var silentTicks = 0
    }

    private var workers: [WorkerID: Worker] = [:]
    private var numbers: [Peer: WorkerID] = [:]
    private var lastID: WorkerID = 0
    private let deadAfter: Int

    /// - Parameter deadAfter: silent heartbeat intervals after which a worker is given up.
    public init(deadAfter: Int = 8) { self.deadAfter = deadAfter }

    /// All of them, in order of registration.
    public var all: [Worker] { workers.values.sorted { $0.id < $1.id } }
    /// The fetchers, in order of registration.
    public var fetchers: [Worker] { all.filter { $0.hello.role == .fetcher } }
    /// How many fetchers there are.
    public var fetcherCount: Int { workers.values.count { $0.hello.role == .fetcher } }
    /// How many workers there are.
    public var count: Int { workers.count }
    /// The writer, if there is one.
    public var writer: Worker? { workers.values.first { $0.hello.role == .writer } }

    /// Who speaks on this connection.
    public func worker(at peer: Peer) -> Worker? { numbers[peer].flatMap { workers[$0] } }

    /// Who has this number.
    public subscript(id: WorkerID) -> Worker? { workers[id] }

    /// The worker that is this process.
    public func worker(instance: String) -> Worker? { workers.values.first { $0.hello.instance == instance } }

    /// The worker that was started with this token.
    public func worker(token: String) -> Worker? { workers.values.first { $0.hello.token == token } }

    /// Registers a worker on a connection that nobody else uses.
    public mutating func register(_ hello: Hello, at peer: Peer) -> Worker {
        lastID += 1
        let worker = Worker(id: lastID, peer: peer, hello: hello)
        workers[lastID] = worker
        numbers[peer] = lastID
        return worker
    }

    /// Something came from it.
    public mutating func heard(_ id: WorkerID) { workers[id]?.silentTicks = 0 }

    /// This set of contracts was sent to it; nil: it has none.
    public mutating func sent(contracts: String?, to id: WorkerID) { workers[id]?.contracts = contracts }

    /// Takes a worker out.
    public mutating func remove(_ id: WorkerID) {
        guard let worker = workers.removeValue(forKey: id) else { return }
        numbers[worker.peer] = nil
    }

    /// A heartbeat interval went by.
    /// - Returns: the workers that are to be given up for dead.
    public mutating func tick() -> [Worker] {
        for id in workers.keys { workers[id]?.silentTicks += 1 }
        return all.filter { $0.silentTicks > deadAfter }
    }
}
