/// Offsets of the header's fields inside a `LedgerCloseMeta` (Stellar-ledger.x).
struct HeaderLayout: Sendable, Equatable {
    /// The `LedgerHeaderHistoryEntry`: hash, header, extension.
    let entry: Range<Int>
    /// The `LedgerHeader`, whose SHA-256 is the ledger's hash.
    let header: Range<Int>
    /// Offset of `scpValue.closeTime` (8 bytes).
    let closeTime: Int
    /// Offset of `ledgerSeq` (4 bytes).
    let sequence: Int

    /// Offset of the hash that the entry states (32 bytes).
    var hash: Int { entry.lowerBound }
    /// Offset of `ledgerVersion` (4 bytes).
    var protocolVersion: Int { header.lowerBound }
    /// Offset of `previousLedgerHash` (32 bytes).
    var previousHash: Int { header.lowerBound + 4 }

    init(entry: Range<Int>, header: Range<Int>, closeTime: Int, sequence: Int) {
        self.entry = entry
        self.header = header
        self.closeTime = closeTime
        self.sequence = sequence
    }

    /// Finds the header of a ledger; throws a text that says what is not as it must be.
    init(ofLedger bytes: [UInt8]) throws(LayoutError) {
        var cursor = Cursor(bytes: bytes)
        let version = try cursor.uint32()
        guard version <= 2 else { throw LayoutError(reason: "LedgerCloseMeta version \(version) is unknown") }
        if version > 0, try cursor.uint32() == 1 { try cursor.skip(12) }  // LedgerCloseMetaExtV1: extension point, int64
        try self.init(entryAt: &cursor)
    }

    private init(entryAt cursor: inout Cursor) throws(LayoutError) {
        let start = cursor.offset
        try cursor.skip(32)
        let headerStart = cursor.offset
        try cursor.skip(4 + 32 + 32)  // ledgerVersion, previousLedgerHash, scpValue.txSetHash
        closeTime = cursor.offset
        try cursor.skip(8)
        for _ in 0..<(try cursor.count(limit: 6)) { try cursor.opaque(limit: 128) }  // upgrades
        switch try cursor.uint32() {
        case 0: break
        case 1: try cursor.signature()
        case 2:
            try cursor.skip(32 + 32 + 4)
            try cursor.signature()
        case let other: throw LayoutError(reason: "StellarValue extension \(other) is unknown")
        }
        try cursor.skip(32 + 32)  // txSetResultHash, bucketListHash
        sequence = cursor.offset
        try cursor.skip(4 + 8 + 8 + 4 + 8 + 4 + 4 + 4 + 4 * 32)
        if try cursor.uint32() == 1 { try cursor.skip(8) }  // LedgerHeaderExtensionV1: flags, extension
        header = headerStart..<cursor.offset
        try cursor.skip(4)
        entry = start..<cursor.offset
    }

    /// Why bytes are not the beginning of a ledger.
    struct LayoutError: Error { let reason: String }

    private struct Cursor {
        let bytes: [UInt8]
        var offset = 0

        mutating func skip(_ count: Int) throws(LayoutError) {
            guard bytes.count - offset >= count else { throw LayoutError(reason: "it ends at byte \(bytes.count), inside its header") }
            offset += count
        }

        mutating func uint32() throws(LayoutError) -> UInt32 {
            try skip(4)
            return HeaderLayout.uint32(bytes, at: offset - 4)
        }

        mutating func count(limit: UInt32) throws(LayoutError) -> Int {
            let value = try uint32()
            guard value <= limit else { throw LayoutError(reason: "a length of \(value) at byte \(offset - 4) exceeds \(limit)") }
            return Int(value)
        }

        mutating func opaque(limit: UInt32) throws(LayoutError) { try skip((count(limit: limit) + 3) / 4 * 4) }

        /// A `LedgerCloseValueSignature`: node id, signature.
        mutating func signature() throws(LayoutError) {
            try skip(4 + 32)
            try opaque(limit: 64)
        }
    }

    static func uint32(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func uint64(_ bytes: [UInt8], at offset: Int) -> UInt64 {
        bytes[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
