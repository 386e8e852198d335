public import StateChanges

/// The rows of a contiguous run of ledgers, as one fetcher brings them to the writer. It may be a piece of a batch, or span several.
public struct PartHeader: Codable, Sendable, Hashable {
    /// The rows of one protocol.
    public struct Rows: Codable, Sendable, Hashable {
        /// Whose rows.
        public let protocolID: ProtocolID
        /// For each of its frames, how many whole COPY tuples it holds.
        public let frames: [Int]
        /// How many tuples all frames hold together; a sum that does not fit counts as the largest number.
        public var count: Int { frames.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 } }

        /// Describes the rows of one protocol.
        public init(protocolID: ProtocolID, frames: [Int]) {
            self.protocolID = protocolID
            self.frames = frames
        }
    }

    /// The run that the rows belong to.
    public let run: RunID
    /// The round in which the ledgers were assigned.
    public let round: RoundNumber
    /// The fetcher's number in the run.
    public let worker: WorkerID
    /// Tells the fetcher's parts apart.
    public let number: Int
    /// The ledgers, all of them.
    public let ledgers: LedgerRange
    /// One for each of the protocols that need these ledgers, sorted by protocol.
    public let rows: [Rows]
    /// Bytes of all tuples.
    public let bytes: Int
    /// `previousLedgerHash` of the first ledger, hex.
    public let previousHash: String
    /// Header hash of the last ledger, hex.
    public let lastHash: String

    /// The protocols that need these ledgers.
    public var protocols: [ProtocolID] { rows.map(\.protocolID) }

    /// Describes a part.
    public init(
        run: RunID, round: RoundNumber, worker: WorkerID, number: Int, ledgers: LedgerRange, rows: [Rows], bytes: Int, previousHash: String,
        lastHash: String
    ) {
        self.run = run
        self.round = round
        self.worker = worker
        self.number = number
        self.ledgers = ledgers
        self.rows = rows
        self.bytes = bytes
        self.previousHash = previousHash
        self.lastHash = lastHash
    }
}

/// From a fetcher to the writer, on the socket for rows. First frame, JSON; after `part` the frames of tuples follow, in the order of the header's rows.
///
/// The writer's memory is bounded by asking: a fetcher offers what it has, and sends it when the writer has room.
public enum RowsMessage: Codable, Sendable, Hashable {
    /// This part is here to be had.
    case offer(PartHeader)
    /// The part itself.
    case part(PartHeader)
    /// The fetcher has dropped what it offered (its batch was revoked).
    case withdraw(run: RunID, round: RoundNumber, worker: WorkerID, number: Int)
}

/// From the writer to a fetcher, on the socket for rows.
public enum RowsReply: Codable, Sendable, Hashable {
    /// Send the part with this number.
    case send(round: RoundNumber, number: Int)
    /// The rows of the part are here already: it counts as sent.
    case have(round: RoundNumber, number: Int)
    /// The part is not wanted, nor what follows it in its batches: drop them. The coordinator hears of it from the writer, and revokes the batches.
    case drop(round: RoundNumber, number: Int)
}
