/// Steps through tuples, row by row. Every load lies inside bytes that were asked for before.
struct TupleChecker {
    let ledgers: ClosedRange<UInt32>
    /// Rows checked so far.
    private(set) var row = 0
    /// Where the next field begins.
    private(set) var at = 0

    init(ledgers: ClosedRange<UInt32>) {
        self.ledgers = ledgers
    }

    mutating func checkRow(_ bytes: RawSpan) throws(TupleError) {
        // The number of fields and three bigint: all of one size.
        try require(2 + 3 * 12, bytes)
        guard bytes.number16(at: at) == StateChangeTuple.columnCount else { throw error(.fieldCount(Int(bytes.number16(at: at)))) }
        at += 2
        let toID = bytes.number64(at: at + 4)
        let operationID = bytes.number64(at: at + 16)
        try step(bytes, .exactly(8), column: 0)
        try step(bytes, .exactly(8), column: 1)
        try step(bytes, .exactly(8), column: 2)
        try step(bytes, .text, column: 3)
        try step(bytes, .text, column: 4)
        try require(8, bytes)
        let ledger = bytes.number32(at: at + 4)
        try step(bytes, .exactly(4), column: 5)
        guard ledgers.contains(ledger), toID >> 32 == UInt64(ledger), operationID >> 32 == UInt64(ledger) else {
            throw error(.ledger(ledger, allowed: ledgers))
        }
        try step(bytes, .exactly(33), column: 6)
        try step(bytes, .exactlyOrNull(33), column: 7)
        try step(bytes, .textOrNull, column: 8)
        try step(bytes, .exactlyOrNull(33), column: 9)
        let keyValue = at
        try step(bytes, .textOrNull, column: 10)
        // jsonb: PostgreSQL knows version 1 only.
        if at > keyValue + 4, bytes.number8(at: keyValue + 4) != 1 { throw error(.jsonVersion) }
        try step(bytes, .textOrNull, column: 11)
        try step(bytes, .exactly(8), column: 12)
        row += 1
    }

    func error(_ reason: TupleError.Reason) -> TupleError {
        TupleError(row: row, offset: at, reason: reason)
    }

    private enum Shape {
        case exactly(Int32), exactlyOrNull(Int32), text, textOrNull
    }

    /// Steps over a field of a shape that the column has.
    @inline(__always)
    private mutating func step(_ bytes: RawSpan, _ shape: Shape, column: Int) throws(TupleError) {
        try require(4, bytes)
        let length = Int32(bitPattern: bytes.number32(at: at))
        let fits =
            switch shape {
            case .exactly(let expected): length == expected
            case .exactlyOrNull(let expected): length == expected || length == -1
            case .text: length > 0
            case .textOrNull: length > 0 || length == -1
            }
        guard fits else { throw error(.length(length, column: column)) }
        let size = length < 0 ? 0 : Int(length)
        try require(4 + size, bytes)
        at += 4 + size
    }

    @inline(__always)
    private func require(_ count: Int, _ bytes: RawSpan) throws(TupleError) {
        guard bytes.byteCount - at >= count else { throw error(.cutOff) }
    }
}

// Numbers at an offset that lies inside: the loads are checked against the bounds, and of integers every bit pattern is a value, so that "unsafe"
// in the name of the function has no say here.
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
