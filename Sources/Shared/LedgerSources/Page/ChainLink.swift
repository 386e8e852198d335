public import StellarXDR

/// The two ends of a run of ledgers whose hash chain has been checked: what the next and the previous run are held against.
public struct ChainLink: Sendable, Hashable {
    /// Sequences of the first and the last ledger of the run.
    public var ledgers: ClosedRange<UInt32>
    /// `previousLedgerHash` of the first ledger.
    public var previousHash: Hash32
    /// Hash of the last ledger.
    public var hash: Hash32

    /// A run whose inner chain the caller has checked.
    public init(ledgers: ClosedRange<UInt32>, previousHash: Hash32, hash: Hash32) {
        self.ledgers = ledgers
        self.previousHash = previousHash
        self.hash = hash
    }

    /// Whether `next` begins with the ledger after this run and names this run's last hash as its predecessor's.
    public func isFollowed(by next: ChainLink) -> Bool {
        ledgers.upperBound < .max && next.ledgers.lowerBound == ledgers.upperBound + 1 && next.previousHash == hash
    }

    /// The two runs as one; nil if `next` does not follow.
    public func joined(with next: ChainLink) -> ChainLink? {
        guard isFollowed(by: next) else { return nil }
        return ChainLink(ledgers: ledgers.lowerBound...next.ledgers.upperBound, previousHash: previousHash, hash: next.hash)
    }
}
