internal import Crypto

/// One ledger that can be served: its header on its own, the rest as segments.
struct SimulatedLedger: Sendable {
    /// Ledger number.
    let sequence: UInt32
    /// Close time, Unix seconds.
    let closeTime: UInt64
    /// Protocol version of the header.
    let protocolVersion: UInt32
    /// `LedgerCloseMeta` up to and with its `LedgerHeaderHistoryEntry`.
    var head: [UInt8]
    /// Where in `head` the header's parts are.
    let layout: HeaderLayout
    /// What follows `head`.
    let rest: [LedgerSegment]

    /// The hash that the `LedgerHeaderHistoryEntry` states.
    var hash: Bytes32 { Bytes32(head[layout.hash..<layout.hash + 32]) }
    /// XDR of the `LedgerHeaderHistoryEntry`.
    var headerEntry: [UInt8] { Array(head[layout.entry]) }
    /// XDR of the `LedgerHeader`.
    var header: [UInt8] { Array(head[layout.header]) }
    /// The whole `LedgerCloseMeta`.
    var segments: [LedgerSegment] { [.own(head)] + rest }
    /// Size of the whole XDR.
    var byteCount: Int { rest.reduce(head.count) { $0 + $1.count } }

    /// The whole `LedgerCloseMeta`, contiguous.
    var xdr: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        for segment in segments {
            switch segment {
            case .own(let own): bytes += own
            case .shared(let block): bytes += block.bytes
            }
        }
        return bytes
    }

    /// A version of `LedgerCloseMeta` and `TransactionMeta` that nobody knows.
    static let unknownVersion: UInt32 = 99

    /// The same ledger, header and hash included, as a `LedgerCloseMeta` of a version that nobody knows.
    func withUnknownVersion() -> SimulatedLedger {
        var version = XDRWriter(capacity: 4)
        version.uint32(Self.unknownVersion)
        var copy = self
        copy.head.replaceSubrange(0..<4, with: version.bytes)
        return copy
    }

    /// The same ledger with a stated hash that is not its header's.
    func withWrongHash() -> SimulatedLedger {
        var copy = self
        copy.head[layout.hash] ^= 0xFF
        return copy
    }

    /// The same ledger with a valid hash but a predecessor that does not exist.
    func withBrokenChain() -> SimulatedLedger {
        var copy = self
        copy.head[layout.previousHash] ^= 0xFF
        copy.head.replaceSubrange(layout.hash..<layout.hash + 32, with: Array(SHA256.hash(data: copy.head[layout.header])))
        return copy
    }
}

/// Where ledgers come from. Any ledger of `available` can be had at any time, in any order, always with the same bytes.
protocol LedgerSupply: Sendable {
    /// Every ledger that can be served, those not yet closed included.
    var available: ClosedRange<UInt32> { get }
    /// The ledger of that number, which must be in `available`.
    func ledger(_ sequence: UInt32) -> SimulatedLedger
    /// The close time of a ledger of `available`, Unix seconds.
    func closeTime(of sequence: UInt32) -> UInt64
    /// Does beforehand what is dear, so that no request pays for it: everything up to `last`.
    func prepare(through last: UInt32)
}

/// Ledgers of which one has a version that nobody knows.
struct LedgersWithUnknownVersion: LedgerSupply {
    let ledgers: any LedgerSupply
    /// Number of the ledger that is a `LedgerCloseMeta` of an unknown version.
    let unknown: UInt32

    var available: ClosedRange<UInt32> { ledgers.available }
    func ledger(_ sequence: UInt32) -> SimulatedLedger {
        let ledger = ledgers.ledger(sequence)
        return sequence == unknown ? ledger.withUnknownVersion() : ledger
    }
    func closeTime(of sequence: UInt32) -> UInt64 { ledgers.closeTime(of: sequence) }
    func prepare(through last: UInt32) { ledgers.prepare(through: last) }
}
