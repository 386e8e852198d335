public import Protocols

/// A contiguous run of ledgers that one fetcher turns into rows and that the writer commits as a whole.
public struct Batch: Hashable, Codable, Sendable {
    /// Unique within the epoch.
    public let id: BatchID
    /// The ledgers to fetch.
    public let ledgers: LedgerRange
    /// The protocols that need these ledgers, sorted; the cursor of each stands right before them when they are committed.
    public let protocols: [ProtocolID]

    /// A batch as planned.
    public init(id: BatchID, ledgers: LedgerRange, protocols: [ProtocolID]) {
        self.id = id
        self.ledgers = ledgers
        self.protocols = protocols
    }
}
