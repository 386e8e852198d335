public import Protocols

/// Version of the messages between the processes; both sides must speak the same.
public let wireVersion = 1

/// What a worker does.
public enum WorkerRole: String, Codable, Sendable {
    /// Fetches and decodes ledgers.
    case fetcher
    /// Commits rows.
    case writer
}

/// What a worker says of itself at registration.
public struct Hello: Codable, Sendable, Equatable {
    /// `wireVersion` of the worker.
    public let version: Int
    /// What it does.
    public let role: WorkerRole
    /// Its process id on its host.
    public let pid: Int32
    /// Its host's name.
    public let host: String
    /// Where fetchers reach the writer; nil from a fetcher.
    public let rowsEndpoint: String?

    /// A worker's registration.
    public init(role: WorkerRole, pid: Int32, host: String, rowsEndpoint: String?) {
        version = wireVersion
        self.role = role
        self.pid = pid
        self.host = host
        self.rowsEndpoint = rowsEndpoint
    }
}

/// What a fetcher did since it started; sent with its heartbeats, for metrics and progress.
public struct FetcherCounters: Codable, Sendable, Equatable {
    /// Ledgers fetched and decoded.
    public var ledgers = 0
    /// Bytes of HTTP responses.
    public var responseBytes = 0
    /// Requests that had to be repeated.
    public var retries = 0
    /// Seconds spent waiting for pages, summed over the requests in flight.
    public var fetchSeconds = 0.0
    /// Seconds of decoding and processing.
    public var processSeconds = 0.0
    /// Events of tracked contracts that gave no row.
    public var ignoredEvents = 0

    /// All zero.
    public init() {}
}

/// One transaction of the writer.
public struct CommitReport: Codable, Sendable, Equatable {
    /// What became of one protocol's cursor in the transaction.
    public enum Swap: Codable, Sendable, Equatable {
        /// It moved, the rows are in.
        case swapped
        /// It did not stand where it was expected; no row was written. `found`: its value, nil where the row is gone.
        case found(String?)
    }

    /// The ledgers of the transaction.
    public let ledgers: LedgerRange
    /// The batches in it.
    public let batches: [BatchID]
    /// By protocol.
    public let swaps: [ProtocolID: Swap]
    /// Rows written, by protocol.
    public let rows: [ProtocolID: Int]
    /// Bytes of tuples.
    public let bytes: Int
    /// How long the transaction took.
    public let seconds: Double

    /// A transaction's report.
    public init(ledgers: LedgerRange, batches: [BatchID], swaps: [ProtocolID: Swap], rows: [ProtocolID: Int], bytes: Int, seconds: Double) {
        self.ledgers = ledgers
        self.batches = batches
        self.swaps = swaps
        self.rows = rows
        self.bytes = bytes
        self.seconds = seconds
    }
}

/// From a worker to the coordinator.
public enum WorkerMessage: Codable, Sendable, Equatable {
    /// Registers; the first message on every new connection.
    case hello(Hello)
    /// Alive. A fetcher says which batches it holds and what it has done.
    case heartbeat(holding: [BatchID], counters: FetcherCounters?)
    /// Fetcher: it can take that many batches more.
    case ready(epoch: Epoch, batches: Int)
    /// Fetcher: a batch cannot be done here. `permanent`: nowhere else either.
    case failed(epoch: Epoch, batch: BatchID, reason: String, permanent: Bool)
    /// Writer: connected to the database, alone, ready for an epoch.
    case writerReady
    /// Writer: all rows of the batch are here.
    case received(epoch: Epoch, batch: BatchID, bytes: Int)
    /// Writer: what came for the batch is unfit; it has to be fetched again.
    case refused(epoch: Epoch, batch: BatchID, reason: String)
    /// Writer: a transaction ended.
    case committed(epoch: Epoch, report: CommitReport)
    /// Writer: the epoch cannot go on (the database is away, a commit's outcome is unknown). `permanent`: neither can another.
    case interrupted(epoch: Epoch, reason: String, permanent: Bool)
    /// Writer: nothing is under way any more.
    case stopped
    /// The worker ends by its own will.
    case goodbye
}

/// From the coordinator to a worker.
public enum CoordinatorMessage: Codable, Sendable, Equatable {
    /// Registered: the worker's number, the run and the protocols that it migrates.
    case welcome(worker: WorkerID, protocols: [ProtocolID])
    /// The coordinator does not know the sender (any more): it must open a new connection and register.
    case registerAgain
    /// Alive.
    case heartbeat
    /// To fetchers: a new epoch; drop all work, deliver to this endpoint, follow these contracts (hex, by protocol).
    case fetch(epoch: Epoch, writer: String, contracts: [ProtocolID: [String]])
    /// To fetchers: work on this.
    case assign(epoch: Epoch, batch: Batch)
    /// To the writer: a new epoch from these cursors.
    case commit(epoch: Epoch, cursors: [ProtocolID: UInt32])
    /// To the writer: this fetcher is given up for dead.
    case giveUp(worker: WorkerID)
    /// To all: this protocol takes no further part.
    case drop(protocolID: ProtocolID)
    /// To all: the epoch is over; the writer finishes the transaction under way and answers `stopped`.
    case halt
    /// To all: the run is over, end.
    case end
}

/// Around every message: which run, and which worker of it (0 before registration).
public struct Envelope<Body: Codable & Sendable>: Codable, Sendable {
    /// The run; empty before a worker knows it.
    public let run: RunID
    /// The worker's number.
    public let worker: WorkerID
    /// The message.
    public let body: Body

    /// Wraps a message.
    public init(run: RunID, worker: WorkerID, body: Body) {
        self.run = run
        self.worker = worker
        self.body = body
    }
}
