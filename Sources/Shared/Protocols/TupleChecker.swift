/// Checks tuples row by row.
///
/// The lengths of fields come from outside. After each that may differ it is asked whether the field and all that follows it up to the next
/// such length are there; the loads themselves are checked against the bounds once more.
struct TupleChecker {
    let ledgers: ClosedRange<UInt32>
    /// Rows checked so far.
    var row = 0
    /// Where the row at hand begins.
    var start = 0

    /// Checks the row at ``start`` and steps over it.
    mutating func checkRow(_ bytes: RawSpan) throws(TupleError) {
        var at = start
        // The number of fields, three bigint, the length of the category.
        try require(2 + 3 * 12 + 4, at, bytes)
        let fields = bytes.number16(at: at)
        guard fields == StateChangeTuple.columnCount else { throw error(.fieldCount(Int(fields)), at) }
        let toID = bytes.number64(at: at + 6)
        let operationID = bytes.number64(at: at + 18)
        try exactly(8, at + 2, bytes, column: 0)
        try exactly(8, at + 14, bytes, column: 1)
        try exactly(8, at + 26, bytes, column: 2)
        at += 38
        at = try text(at, bytes, column: 3, then: 4)
        // The reason, then ledger_number, account_id and the length of token_id.
        at = try text(at, bytes, column: 4, then: 8 + 37 + 4)
        try exactly(4, at, bytes, column: 5)
        let ledger = bytes.number32(at: at + 4)
        guard ledgers.contains(ledger), toID >> 32 == UInt64(ledger), operationID >> 32 == UInt64(ledger) else {
            throw error(.ledger(ledger, allowed: ledgers), at)
        }
        try exactly(33, at + 8, bytes, column: 6)
        at += 45
        at = try addressOrNull(at, bytes, column: 7)
        at = try textOrNull(at, bytes, column: 8, then: 4)
        at = try addressOrNull(at, bytes, column: 9)
        let keyValue = at
        at = try textOrNull(at, bytes, column: 10, then: 4)
        // jsonb: PostgreSQL knows version 1 only.
        if at > keyValue + 4, bytes.number8(at: keyValue + 4) != 1 { throw error(.jsonVersion, keyValue) }
        at = try textOrNull(at, bytes, column: 11, then: 12)
        try exactly(8, at, bytes, column: 12)
        start = at + 12
        row += 1
    }

    func error(_ reason: TupleError.Reason, _ at: Int) -> TupleError {
        TupleError(row: row, offset: at, reason: reason)
    }

    /// Throws unless so many bytes are left.
    @inline(__always)
    private func require(_ count: Int, _ at: Int, _ bytes: RawSpan) throws(TupleError) {
        guard bytes.byteCount - at >= count else { throw error(.cutOff, at) }
    }

    /// A field that has one length only.
    @inline(__always)
    private func exactly(_ expected: UInt32, _ at: Int, _ bytes: RawSpan, column: Int) throws(TupleError) {
        let length = bytes.number32(at: at)
        guard length == expected else { throw error(.length(Int32(bitPattern: length), column: column), at) }
    }

    /// Steps over a field that is not empty and not null; `then` bytes must follow it.
    @inline(__always)
    private func text(_ at: Int, _ bytes: RawSpan, column: Int, then: Int) throws(TupleError) -> Int {
        let length = Int32(bitPattern: bytes.number32(at: at))
        guard length > 0 else { throw error(.length(length, column: column), at) }
        try require(4 + Int(length) + then, at, bytes)
        return at + 4 + Int(length)
    }

    /// Steps over a field that is not empty but may be null; `then` bytes must follow it.
    @inline(__always)
    private func textOrNull(_ at: Int, _ bytes: RawSpan, column: Int, then: Int) throws(TupleError) -> Int {
        let length = Int32(bitPattern: bytes.number32(at: at))
        guard length > 0 || length == -1 else { throw error(.length(length, column: column), at) }
        let end = at + 4 + max(0, Int(length))
        try require(then, end, bytes)
        return end
    }

    /// Steps over an address or null; another length must follow it.
    @inline(__always)
    private func addressOrNull(_ at: Int, _ bytes: RawSpan, column: Int) throws(TupleError) -> Int {
        let length = Int32(bitPattern: bytes.number32(at: at))
        guard length == 33 || length == -1 else { throw error(.length(length, column: column), at) }
        let end = at + 4 + max(0, Int(length))
        try require(4, end, bytes)
        return end
    }
}

// Numbers at an offset that lies inside: the loads are checked against the bounds, and of integers every bit pattern is a value, so that
// "unsafe" in the name of the function has no say here.
extension RawSpan {
    @inline(__always)
    fileprivate func number8(at offset: Int) -> UInt8 {
        unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    fileprivate func number16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    fileprivate func number32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    fileprivate func number64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
