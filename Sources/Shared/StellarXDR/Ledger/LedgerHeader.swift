/// What a ledger's header says, and where in the ledger's bytes it lies (XDR `LedgerHeaderHistoryEntry`).
public struct LedgerHeader: Sendable {
    /// The ledger's number.
    public let sequence: UInt32

    /// When the ledger closed, in Unix seconds.
    public let closeTime: UInt64

    /// The protocol version of the ledger.
    public let protocolVersion: UInt32

    /// The hash of the header of the ledger before.
    public let previousLedgerHash: Hash32

    /// The hash of this header as the ledger claims it. It is right if it is the SHA-256 of the bytes of `headerRange`.
    public let hash: Hash32

    /// The bytes of the `LedgerHeader` itself inside the XDR of the ledger, without the hash before it.
    public let headerRange: Range<Int>

    /// Reads the `LedgerHeaderHistoryEntry` at `start`.
    ///
    /// - Returns: the header and the offset behind the entry.
    static func read(_ b: XDRBytes, _ start: Int) throws(XDRError) -> (header: LedgerHeader, end: Int) {
        try b.require(start, 32, "LedgerHeaderHistoryEntry.hash")
        let header = start &+ 32
        let end = try XDRSkip.ledgerHeader(b, header)
        // LedgerHeader: ledgerVersion 4, previousLedgerHash 32, scpValue { txSetHash 32, closeTime 8, ... }, two hashes, ledgerSeq.
        let sequence = try XDRSkip.stellarValue(b, header &+ 36) &+ 64
        try b.require(end, 4, "LedgerHeaderHistoryEntry.ext")
        try b.checkDiscriminant(end, 0, "LedgerHeaderHistoryEntry.ext.v")
        let result = LedgerHeader(
            sequence: b.uint32(sequence), closeTime: b.uint64(header &+ 68), protocolVersion: b.uint32(header),
            previousLedgerHash: b.hash32(header &+ 4), hash: b.hash32(start), headerRange: header..<end)
        return (result, end &+ 4)
    }
}
