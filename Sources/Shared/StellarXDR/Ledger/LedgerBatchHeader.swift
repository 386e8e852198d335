/// What comes before the ledgers of a `LedgerCloseMetaBatch` (SEP-54), the content of an object in a data lake.
public struct LedgerBatchHeader: Hashable, Sendable {
    /// Bytes of the header; the first ledger begins behind them.
    public static let byteCount = 12

    /// The numbers of the ledgers, as the batch says them: those inside the ledgers have yet to be compared.
    public let ledgers: ClosedRange<UInt32>

    /// Reads the header with which bytes begin; what follows is not looked at.
    ///
    /// - Parameter xdr: one `LedgerCloseMetaBatch`: startSequence, endSequence, then the array of ledgers with its length first.
    /// - Throws: ``XDRError`` if the bytes end early, or if the number of ledgers is not that of the range.
    public init(_ xdr: RawSpan) throws(XDRError) {
        guard let start = xdr.number32(at: 0), let end = xdr.number32(at: 4), let count = xdr.number32(at: 8) else {
            throw .unexpectedEnd(0, needed: Self.byteCount, remaining: xdr.byteCount, "LedgerCloseMetaBatch.startSequence")
        }
        guard start <= end, UInt64(count) == UInt64(end - start) + 1 else {
            throw XDRError(.badBatchRange(start: start, end: end, count: count), 0, "LedgerCloseMetaBatch.startSequence")
        }
        ledgers = start...end
    }
}
