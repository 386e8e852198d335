/// The workers that take part, how long each was silent, and who is given up for dead. `Peer` is the address of a connection.
public struct Roster<Peer: Hashable & Sendable>: Sendable {
    /// A registered worker.
    public struct Worker: Sendable {
        /// Its number in the run.
        public let id: WorkerID
        /// Its connection.
        public let peer: Peer
        /// What it said of itself.
        public let hello: Hello
        /// Heartbeat intervals since anything was heard of it.
        public fileprivate(set) var silentTicks = 0
    }

    private var byPeer: [Peer: Worker] = [:]
    private var nextID: WorkerID = 1
    private let deadAfter: Int

    /// - Parameter deadAfter: silent heartbeat intervals after which a worker is given up.
    public init(deadAfter: Int = 8) { self.deadAfter = deadAfter }

    /// All of them, in order of registration.
    public var workers: [Worker] { byPeer.values.sorted { $0.id < $1.id } }
    /// The fetchers.
    public var fetchers: [Worker] { workers.filter { $0.hello.role == .fetcher } }
    /// The writer, if there is one.
    public var writer: Worker? { workers.first { $0.hello.role == .writer } }

    /// Who speaks on this connection.
    public func worker(at peer: Peer) -> Worker? { byPeer[peer] }

    /// Who has this number.
    public func worker(_ id: WorkerID) -> Worker? { byPeer.values.first { $0.id == id } }

    /// Registers a worker; a connection that registers again is a new worker.
    public mutating func register(_ hello: Hello, at peer: Peer) -> Worker {
        let worker = Worker(id: nextID, peer: peer, hello: hello)
        nextID += 1
        byPeer[peer] = worker
        return worker
    }

    /// Something came from it.
    public mutating func heard(_ peer: Peer) { byPeer[peer]?.silentTicks = 0 }

    /// Takes a worker out.
    public mutating func remove(_ peer: Peer) { byPeer[peer] = nil }

    /// A heartbeat interval went by.
    /// - Returns: the workers that are now given up for dead and taken out.
    public mutating func tick() -> [Worker] {
        for peer in byPeer.keys { byPeer[peer]?.silentTicks += 1 }
        let dead = workers.filter { $0.silentTicks > deadAfter }
        for worker in dead { byPeer[worker.peer] = nil }
        return dead
    }
}
