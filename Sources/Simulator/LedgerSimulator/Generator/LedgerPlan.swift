/// What ledgers to make: with the ledger's number it decides every byte of a ledger.
public struct LedgerPlan: Sendable, Equatable {
    /// How large ledgers are, from one of them on.
    public struct Stage: Sendable, Equatable {
        /// The first ledger of this size.
        public let from: UInt32
        /// Contract events per ledger in the transactions that may carry rows.
        public let eventsPerLedger: Int
        /// Size of a ledger's XDR in bytes, about; ledgers differ by up to a tenth. Less than the events need means no ballast.
        public let ledgerBytes: Int
    }

    /// Seed of everything: contracts, accounts, events.
    public let seed: UInt64
    /// Number of the first ledger, at which the hash chain begins.
    public let first: UInt32
    /// The sizes, ascending by ledger; the first one holds from the first ledger on.
    public let stages: [Stage]
    /// Whether muxed accounts, claimable balances and liquidity pools occur as parties of events.
    public let rareAddresses: Bool
    /// The ledger whose first transaction with events has a `TransactionMeta` of a version that nobody knows.
    public let unknownTransactionVersion: UInt32?

    /// A plan; see the properties.
    /// - Parameters:
    ///   - eventsPerLedger: at the first ledger.
    ///   - ledgerBytes: at the first ledger.
    ///   - eventChanges: another number of events from a ledger on.
    ///   - byteChanges: another size from a ledger on.
    public init(
        seed: UInt64, first: UInt32, eventsPerLedger: Int, ledgerBytes: Int = 1_000_000, eventChanges: [UInt32: Int] = [:],
        byteChanges: [UInt32: Int] = [:], rareAddresses: Bool = false, unknownTransactionVersion: UInt32? = nil
    ) {
        self.seed = seed
        self.first = first
        self.rareAddresses = rareAddresses
        self.unknownTransactionVersion = unknownTransactionVersion
        var events = eventsPerLedger
        var bytes = ledgerBytes
        var stages: [Stage] = []
        for from in Set(eventChanges.keys).union(byteChanges.keys).union([first]).sorted() {
            events = eventChanges[from] ?? events
            bytes = byteChanges[from] ?? bytes
            // What changes before the first ledger holds from there on.
            if from <= first { stages = [] }
            stages.append(Stage(from: max(from, first), eventsPerLedger: events, ledgerBytes: bytes))
        }
        self.stages = stages
    }

    /// Index of the stage that a ledger belongs to.
    func stage(of sequence: UInt32) -> Int { max(0, (stages.firstIndex { $0.from > sequence } ?? stages.count) - 1) }

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
