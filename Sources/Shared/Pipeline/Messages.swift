public import StateChanges

/// Version of the messages between the processes; both sides must speak the same.
public let wireVersion = 4

/// What a worker does.
public enum WorkerRole: String, Codable, Sendable {
    /// Fetches and decodes ledgers.
    case fetcher
    /// Commits rows.
    case writer
}

/// What a worker says of itself at registration.
public struct Hello: Codable, Sendable, Hashable {
    /// `wireVersion` of the worker.
    public let version: Int
    /// What it does; it may send and receive the messages of this role only.
    public let role: WorkerRole
    /// Random, the same for as long as the process lives: tells a process that registers again from a new one.
    public let instance: String
    /// What the coordinator gave to the process when it started it; nil for a worker that was started elsewhere.
    public let token: String?
    /// Its process id on its host: for logs only.
    public let pid: Int32
    /// Its host's name: for logs only.
    public let host: String
    /// Where fetchers reach the writer; nil from a fetcher.
    public let rowsEndpoint: String?

    /// A worker's registration.
    public init(role: WorkerRole, instance: String, token: String?, pid: Int32, host: String, rowsEndpoint: String?) {
        version = wireVersion
        self.role = role
        self.instance = instance
        self.token = token
        self.pid = pid
        self.host = host
        self.rowsEndpoint = rowsEndpoint
    }
}

/// What the coordinator replies to a registration.
public struct Welcome: Codable, Sendable, Hashable {
    /// The worker's number in the run.
    public let worker: WorkerID
    /// The protocols that the run migrates.
    public let protocols: [ProtocolID]
    /// The network that every source of ledgers must be on.
    public let networkPassphrase: String
    /// What the writer does where rows go into compressed chunks.
    public let compressedChunks: CompressedChunks

    /// A reply.
    public init(
        worker: WorkerID, protocols: [ProtocolID], networkPassphrase: String, compressedChunks: CompressedChunks = .auto
    ) {
        self.worker = worker
        self.protocols = protocols
        self.networkPassphrase = networkPassphrase
        self.compressedChunks = compressedChunks
    }
}

/// What a fetcher did since its process started; sent with its heartbeats, for metrics and progress.
public struct FetcherCounters: Codable, Sendable, Hashable {
    /// Ledgers fetched and decoded.
    public var ledgers = 0
    /// Bytes of responses.
    public var responseBytes = 0
    /// Processors of its host.
    public var cores = 1
    /// Requests in flight now.
    public var requestsInFlight = 0
    /// Requests that had to be repeated, by what they failed of.
    public var retries: [String: Int] = [:]
    /// Seconds that requests took, without the time that their ledgers were worked on; summed over the requests in flight.
    public var fetchSeconds = 0.0
    /// Seconds spent on the walk through the ledgers, up to their events.
    public var extractSeconds = 0.0
    /// Seconds spent on making rows of events.
    public var processSeconds = 0.0
    /// Events of tracked contracts that gave no row.
    public var ignoredEvents = 0

    /// All zero.
    public init() {}
}

/// What the writer holds: parts that have come and are not committed.
public struct ReorderLoad: Codable, Sendable, Hashable {
    /// Their ledgers.
    public let ledgers: Int
    /// The bytes of their rows.
    public let bytes: Int

    /// A load.
    public init(ledgers: Int, bytes: Int) {
        self.ledgers = ledgers
        self.bytes = bytes
    }
}

/// One transaction of the writer.
public struct CommitReport: Codable, Sendable, Hashable {
    /// What became of one protocol's cursor in the transaction.
    public enum Swap: Codable, Sendable, Hashable {
        /// It moved, the rows are in.
        case swapped
        /// It did not stand where it was expected; no row was written. `found`: its value, nil where the row is gone.
        case found(String?)
        /// The transaction's first ledger is below the oldest one that is kept, which is this: nothing was written at all.
        case belowOldest(UInt32)
    }

    /// The ledgers of the transaction.
    public let ledgers: LedgerRange
    /// By protocol.
    public let swaps: [ProtocolID: Swap]
    /// Rows written, by protocol.
    public let rows: [ProtocolID: Int]
    /// Bytes of tuples.
    public let bytes: Int
    /// How long the transaction took.
    public let seconds: Double

    /// A transaction's report.
    public init(ledgers: LedgerRange, swaps: [ProtocolID: Swap], rows: [ProtocolID: Int], bytes: Int, seconds: Double) {
        self.ledgers = ledgers
        self.swaps = swaps
        self.rows = rows
        self.bytes = bytes
        self.seconds = seconds
    }
}

/// Which set of tracked contracts a round works with, and what comes along as the message's second frame.
public struct ContractsReference: Codable, Sendable, Hashable {
    /// What the second frame holds.
    public enum Attachment: Codable, Sendable, Hashable {
        /// There is none: the fetcher has the set.
        case none
        /// What the set has and the one named `base` has not (`ContractSet.additions(since:)`).
        case additions(base: String)
        /// The whole set (`ContractSet.encoded`).
        case whole
    }

    /// The set's name.
    public let digest: String
    /// The second frame.
    public let attachment: Attachment

    /// A reference.
    public init(digest: String, attachment: Attachment) {
        self.digest = digest
        self.attachment = attachment
    }
}

/// From a fetcher to the coordinator.
public enum FetcherMessage: Codable, Sendable, Hashable {
    /// Alive; the batches that it holds, and what it has done.
    case heartbeat(holding: [BatchID], counters: FetcherCounters)
    /// It can take that many batches more. Only after it has found its source on the right network.
    case ready(round: RoundNumber, batches: Int)
    /// It does not have the set of contracts that the additions were made for: it needs the whole.
    case contractsMissing(round: RoundNumber)
    /// A batch cannot be done here. `permanent`: nowhere else either.
    case failed(round: RoundNumber, batch: BatchID, reason: String, permanent: Bool)
    /// Its source is of no use (it is on another network): the fetcher takes no part and ends.
    case unfit(reason: String)
}

/// From the writer to the coordinator.
public enum WriterMessage: Codable, Sendable, Hashable {
    /// Alive, and what it holds.
    case heartbeat(ReorderLoad)
    /// Connected to the database, alone, nothing under way: a round may begin.
    case ready
    /// All rows of these ledgers are here, in `bytes` bytes.
    case received(round: RoundNumber, ledgers: LedgerRange, bytes: Int)
    /// What a fetcher brought for these ledgers cannot be used: they have to be fetched again from the last ledger received or committed on.
    /// `isFault`: it was wrong (it counts as a failure), not merely there already in part.
    case refused(round: RoundNumber, ledgers: LedgerRange, worker: WorkerID, reason: String, isFault: Bool)
    /// A transaction ended.
    case committed(round: RoundNumber, report: CommitReport)
    /// The round cannot go on (the database is away or refuses, a commit's outcome is unknown). `permanent`: neither can another.
    case interrupted(round: RoundNumber, reason: String, permanent: Bool)
    /// After `halt`: nothing of this round is under way any more.
    case stopped(round: RoundNumber)
}

/// From the coordinator to a fetcher.
public enum FetcherCommand: Codable, Sendable, Hashable {
    /// A new round: drop all work, deliver to this endpoint, follow these contracts; a second frame may come along.
    case begin(round: RoundNumber, writer: String, contracts: ContractsReference)
    /// Work on these.
    case assign(round: RoundNumber, batches: [Batch])
    /// These batches are not the fetcher's any more.
    case revoke(round: RoundNumber, batches: [BatchID])
    /// The round is over: drop all work.
    case halt(round: RoundNumber)
}

/// From the coordinator to the writer.
public enum WriterCommand: Codable, Sendable, Hashable {
    /// A new round from these cursors. `oldestName`: the key of the oldest ledger that is kept; nothing is written of ledgers below it.
    case begin(round: RoundNumber, cursors: [ProtocolID: UInt32], oldestName: String)
    /// This fetcher is given up for dead: what it still brings is dropped.
    case giveUp(worker: WorkerID)
    /// This protocol takes no further part.
    case drop(protocolID: ProtocolID)
    /// The round is over; the writer finishes the transaction under way and replies `stopped`.
    case halt(round: RoundNumber)
}

/// What any worker sends: the messages of its registration, and those of its role.
public enum WorkerContent: Codable, Sendable, Hashable {
    /// Registers; the first message on every new connection.
    case hello(Hello)
    /// The worker ends by its own will.
    case goodbye
    /// From a fetcher.
    case fetcher(FetcherMessage)
    /// From a writer.
    case writer(WriterMessage)
}

/// What the coordinator sends to any worker.
public enum CoordinatorContent: Codable, Sendable, Hashable {
    /// Registered.
    case welcome(Welcome)
    /// Another writer is at work: stay connected, and register again with every heartbeat until it is gone.
    case standBy
    /// The coordinator does not know the sender (any more): it must open a new connection and register.
    case registerAgain
    /// Alive.
    case heartbeat
    /// The run is over, end.
    case end
    /// To a fetcher.
    case fetcher(FetcherCommand)
    /// To the writer.
    case writer(WriterCommand)
}

/// Around every message: which run, and which worker of it (0 before registration). The first frame of every message on a control socket, JSON.
public struct Envelope<Content: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
    /// The run; empty before a worker knows it.
    public let run: RunID
    /// The worker's number.
    public let worker: WorkerID
    /// The message.
    public let content: Content

    /// Wraps a message.
    public init(run: RunID, worker: WorkerID, content: Content) {
        self.run = run
        self.worker = worker
        self.content = content
    }
}
