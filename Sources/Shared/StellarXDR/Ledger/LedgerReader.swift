/// Reads ledgers, XDR `LedgerCloseMeta` V0, V1 and V2 up to protocol 28, in place.
///
/// A walk checks every byte that the XDR definitions say anything about (lengths, discriminants, enums, bools, padding, depth)
/// and allocates nothing unless it throws.
public enum LedgerReader {
    /// Reads the header only, and stops behind it: what follows is not looked at.
    ///
    /// - Parameter xdr: one `LedgerCloseMeta`.
    /// - Throws: `XDRError` if the bytes are not a ledger that far.
    public static func readHeader(_ xdr: RawSpan) throws(XDRError) -> LedgerHeader {
        try unsafe xdr.withUnsafeBytes { (bytes) throws(XDRError) -> LedgerHeader in
            try unsafe beginning(XDRBytes(bytes, "LedgerCloseMeta.v")).header
        }
    }

    /// Walks a whole ledger that fills its bytes.
    ///
    /// Contract events count where the operation that they belong to succeeded as `INVOKE_HOST_FUNCTION` in a successful transaction (also
    /// inside a fee bump). An operation of the meta for which there is no result has not succeeded: its events are not given.
    ///
    /// - Parameters:
    ///   - xdr: one `LedgerCloseMeta`, nothing behind it.
    ///   - onEvent: called for every contract event that counts, of whatever type and contract, in the order of the ledger. The event is a
    ///     view into `xdr` and must not outlive the call.
    /// - Throws: `XDRError` if the bytes are not a ledger, or if a version is not known. Events before the error have been given by then.
    public static func read(_ xdr: RawSpan, onEvent: (ContractEvent) -> Void) throws(XDRError) -> LedgerWalk {
        let walk = try read(front: xdr, onEvent: onEvent)
        let left = xdr.byteCount - walk.byteCount
        guard left == 0 else {
            throw XDRError(.trailingBytes(left), walk.byteCount, "LedgerCloseMeta", ledger: walk.header.sequence)
        }
        return walk
    }

    /// Walks the ledger with which bytes begin, and stops behind it: a `LedgerCloseMetaBatch` (SEP-54) holds ledgers one after the other,
    /// without lengths.
    ///
    /// - Parameters:
    ///   - xdr: one `LedgerCloseMeta`, then anything. It may be cut off: see ``XDRError/endsEarly``.
    ///   - onEvent: as of ``read(_:onEvent:)``.
    /// - Returns: what was found, and where the ledger ends.
    /// - Throws: `XDRError` as ``read(_:onEvent:)``, but for bytes left over.
    public static func read(front xdr: RawSpan, onEvent: (ContractEvent) -> Void) throws(XDRError) -> LedgerWalk {
        try unsafe xdr.withUnsafeBytes { (bytes) throws(XDRError) -> LedgerWalk in
            let b = try unsafe XDRBytes(bytes, "LedgerCloseMeta.v")
            let (version, header, start) = try beginning(b)
            do throws(XDRError) {
                return try rest(b, start, version, header, onEvent)
            } catch {
                throw error.inLedger(header.sequence)
            }
        }
    }

    /// The version, the header, and the offset behind the header entry.
    private static func beginning(_ b: XDRBytes) throws(XDRError) -> (version: Int32, header: LedgerHeader, end: Int) {
        try b.require(0, 4, "LedgerCloseMeta.v")
        let version = b.int32(0)
        var at = 4
        switch version {
        case 0: break
        case 1, 2: at = try XDRSkip.ledgerCloseMetaExt(b, at)
        default: throw XDRError(.unsupportedVersion(version), 0, "LedgerCloseMeta.v")
        }
        let (header, end) = try LedgerHeader.read(b, at)
        return (version, header, end)
    }

    /// What follows the header entry.
    private static func rest(
        _ b: XDRBytes, _ start: Int, _ version: Int32, _ header: LedgerHeader, _ onEvent: (ContractEvent) -> Void
    ) throws(XDRError) -> LedgerWalk {
        let depth = XDRSkip.depthLimit
        var at = try version == 0 ? XDRSkip.transactionSet(b, start, depth) : XDRSkip.generalizedTransactionSet(b, start, depth)

        try b.require(at, 4, "LedgerCloseMeta.txProcessing")
        let transactionCount = try b.count(at, elementSize: TransactionReader.leastSize, "LedgerCloseMeta.txProcessing")
        at &+= 4
        var eventCount = 0
        for index in 0..<Int(transactionCount) {
            var transaction = TransactionReader(
                b: b, ledger: header.sequence, closeTime: header.closeTime, number: index &+ 1, hasExtensions: version == 2)
            do throws(XDRError) {
                at = try transaction.read(at, onEvent)
            } catch {
                throw error.inTransaction(index &+ 1)
            }
            eventCount &+= transaction.eventCount
        }

        try b.require(at, 4, "LedgerCloseMeta.upgradesProcessing")
        let upgradeCount = try b.count(at, elementSize: 4, "LedgerCloseMeta.upgradesProcessing")
        at &+= 4
        for _ in 0..<upgradeCount {
            at = try XDRSkip.upgradeEntryMeta(b, at, depth)
        }

        try b.require(at, 4, "LedgerCloseMeta.scpInfo")
        let historyCount = try b.count(at, elementSize: 4, "LedgerCloseMeta.scpInfo")
        at &+= 4
        for _ in 0..<historyCount {
            at = try XDRSkip.scpHistoryEntry(b, at, depth)
        }

        if version > 0 {
            at = try evictions(b, at, version)
        }
        return LedgerWalk(header: header, byteCount: at, transactionCount: Int(transactionCount), eventCount: eventCount)
    }

    /// totalByteSizeOfLiveSorobanState, evictedKeys and, in V1, the list that replaced evicted entries once and is never filled.
    private static func evictions(_ b: XDRBytes, _ start: Int, _ version: Int32) throws(XDRError) -> Int {
        try b.require(start, 12, "LedgerCloseMeta.totalByteSizeOfLiveSorobanState")
        var at = start &+ 8
        let keyCount = try b.count(at, elementSize: 4, "LedgerCloseMeta.evictedKeys")
        at &+= 4
        for _ in 0..<keyCount {
            at = try XDRSkip.ledgerKey(b, at, XDRSkip.depthLimit)
        }
        guard version == 1 else { return at }
        try b.require(at, 4, "LedgerCloseMetaV1.unused")
        let entryCount = try b.count(at, elementSize: 4, "LedgerCloseMetaV1.unused")
        at &+= 4
        for _ in 0..<entryCount {
            at = try XDRSkip.ledgerEntry(b, at, XDRSkip.depthLimit)
        }
        return at
    }
}

/// What a walk through a ledger found.
public struct LedgerWalk: Sendable {
    /// The ledger's header.
    public let header: LedgerHeader

    /// Bytes of the ledger: where it ends.
    public let byteCount: Int

    /// Transactions of the ledger, the failed ones included.
    public let transactionCount: Int

    /// Contract events that count, those for which the walk called back.
    public let eventCount: Int
}
