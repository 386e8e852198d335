public import Protocols

/// First frame of a delivery from a fetcher to the writer, JSON; the frames of rows follow in the order of `parts`.
public struct RowsHeader: Codable, Sendable, Equatable {
    /// The rows of one protocol in a delivery.
    public struct Part: Codable, Sendable, Equatable {
        /// Whose rows.
        public let protocolID: ProtocolID
        /// For each of its frames, how many whole COPY tuples it holds.
        public let frames: [Int]
        /// How many tuples all frames hold together.
        public var rows: Int { frames.reduce(0, +) }

        /// Describes the rows of one protocol.
        public init(protocolID: ProtocolID, frames: [Int]) {
            self.protocolID = protocolID
            self.frames = frames
        }
    }

    /// The run that the rows belong to.
    public let run: RunID
    /// The epoch in which the batch was assigned.
    public let epoch: Epoch
    /// The fetcher's number in the run.
    public let worker: WorkerID
    /// The batch as assigned.
    public let batch: Batch
    /// One for each of the batch's protocols, in the batch's order.
    public let parts: [Part]
    /// `previousLedgerHash` of the first ledger, hex.
    public let previousHash: String
    /// Header hash of the last ledger, hex.
    public let lastHash: String

    /// Describes a delivery.
    public init(run: RunID, epoch: Epoch, worker: WorkerID, batch: Batch, parts: [Part], previousHash: String, lastHash: String) {
        self.run = run
        self.epoch = epoch
        self.worker = worker
        self.batch = batch
        self.parts = parts
        self.previousHash = previousHash
        self.lastHash = lastHash
    }
}
