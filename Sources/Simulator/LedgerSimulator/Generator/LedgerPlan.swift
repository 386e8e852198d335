/// What ledgers to make: with the ledger's number it decides every byte of a ledger.
public struct LedgerPlan: Sendable, Equatable {
    /// Seed of everything: contracts, accounts, events.
    public let seed: UInt64
    /// Number of the first ledger, at which the hash chain begins.
    public let first: UInt32
    /// Contract events per ledger in the transactions that may carry rows.
    public let eventsPerLedger: Int
    /// Size of a ledger's XDR in bytes, about; ledgers differ by up to a tenth. Less than the events need means no ballast.
    public let ledgerBytes: Int
    /// Whether muxed accounts, claimable balances and liquidity pools occur as parties of events.
    public let rareAddresses: Bool

    /// A plan; see the properties.
    public init(seed: UInt64, first: UInt32, eventsPerLedger: Int, ledgerBytes: Int = 1_000_000, rareAddresses: Bool = false) {
        self.seed = seed
        self.first = first
        self.eventsPerLedger = eventsPerLedger
        self.ledgerBytes = ledgerBytes
        self.rareAddresses = rareAddresses
    }

    /// Close time of a ledger, Unix seconds: five seconds a ledger.
    public func closeTime(of sequence: UInt32) -> UInt64 { 1_700_000_000 + 5 * UInt64(sequence) }
}

/// The versions of `LedgerCloseMeta` that are made.
enum LedgerVersion: UInt32, Sendable {
    case v1 = 1
    case v2 = 2

    /// The protocol version that a header of that time states.
    var protocolVersion: UInt32 { self == .v1 ? 22 : 23 }
}
