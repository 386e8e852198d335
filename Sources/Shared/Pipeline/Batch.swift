public import StateChanges

/// A contiguous run of ledgers that one fetcher turns into rows and the writer commits, whole or in parts.
public struct Batch: Hashable, Codable, Sendable {
    /// Unique within the round.
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
