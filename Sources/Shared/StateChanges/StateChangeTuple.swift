/// The form of a row between the fetcher, which makes it, and PostgreSQL: a tuple of COPY BINARY.
///
/// `int16` number of fields, then for each an `int32` length (-1: null) and that many bytes, in the order of ``columns``; all numbers are
/// big-endian. By type: `bigint` 8 bytes, `integer` 4, `timestamptz` 8 (microseconds since 2000-01-01 UTC), `text` and `bytea` as they are,
/// `jsonb` the byte 1 and the text. Header and trailer of a COPY are the writer's.
public enum StateChangeTuple {
    /// The columns of `state_changes` that a tuple fills, in its order. All others take their defaults.
    public static let columns = [
        "to_id", "operation_id", "state_change_id", "state_change_category", "state_change_reason", "ledger_number", "account_id",
        "token_id", "amount", "spender_account_id", "key_value", "to_muxed_id", "ledger_created_at",
    ]

    /// The same as `columns.count`, for loops that should not ask an array.
    static let columnCount: UInt16 = 13

    /// Bytes of a row without category, reason and their lengths, and without what its nullable fields hold but for the token.
    static let fixedLength = 2 + 3 * 12 + 8 + 2 * 37 + 4 * 4 + 12

    /// A close time (Unix seconds) as `ledger_created_at`: microseconds since 2000-01-01. Nil for one that PostgreSQL's timestamps do not reach.
    public static func timestamp(closeTime: UInt64) -> Int64? {
        // 294276-12-31 in Unix seconds.
        guard closeTime <= 9_224_318_015_999 else { return nil }
        // 2000-01-01 in Unix seconds.
        return (Int64(closeTime) - 946_684_800) * 1_000_000
    }

    /// Checks the framing of tuples that came from elsewhere, so that a COPY of them neither fails half-way nor stores rows of other ledgers:
    /// the lengths of every field, the number of rows, and that each row's ledger is one of the range and the same in `ledger_number`,
    /// `to_id` and `operation_id`. Texts are left to the constraints of the table.
    ///
    /// - Parameters:
    ///   - bytes: the tuples, nothing before, between or after them.
    ///   - expectedRows: how many there should be.
    ///   - ledgers: the ledgers that they may be of.
    /// - Returns: the earliest and the latest `ledger_created_at`, in microseconds since 2000-01-01; nil where there are no rows.
    /// - Throws: ``TupleError`` for the first thing that is wrong.
    @discardableResult
    public static func check(
        _ bytes: RawSpan, expectedRows: Int, ledgers: ClosedRange<UInt32>
    ) throws(TupleError) -> ClosedRange<Int64>? {
        var checker = TupleChecker(ledgers: ledgers)
        var earliest = Int64.max
        var latest = Int64.min
        while checker.start < bytes.byteCount {
            // Not counted beyond what is expected: too many rows are found out at the first of them.
            guard checker.row < expectedRows else { throw checker.error(.rowCount(expected: expectedRows), checker.start) }
            try checker.checkRow(bytes)
            earliest = min(earliest, checker.createdAt)
            latest = max(latest, checker.createdAt)
        }
        guard checker.row == expectedRows else { throw checker.error(.rowCount(expected: expectedRows), checker.start) }
        return expectedRows == 0 ? nil : earliest...latest
    }

    /// Consecutive rows of one ledger.
    public struct LedgerRun: Hashable, Sendable {
        /// The ledger.
        public let ledger: UInt32
        /// How many rows.
        public var rows: Int
        /// How many bytes they take.
        public var byteCount: Int
        /// Their earliest and latest `ledger_created_at`.
        public var times: ClosedRange<Int64>
    }

    /// Where the ledgers begin and end in tuples, in the order of the bytes.
    /// - Throws: ``TupleError`` where the bytes are no tuples of these ledgers.
    public static func runs(in bytes: RawSpan, ledgers: ClosedRange<UInt32>) throws(TupleError) -> [LedgerRun] {
        var checker = TupleChecker(ledgers: ledgers)
        var runs: [LedgerRun] = []
        while checker.start < bytes.byteCount {
            let start = checker.start
            try checker.checkRow(bytes)
            let time = checker.createdAt
            if let last = runs.indices.last, runs[last].ledger == checker.ledger {
                runs[last].rows += 1
                runs[last].byteCount += checker.start - start
                runs[last].times = min(runs[last].times.lowerBound, time)...max(runs[last].times.upperBound, time)
            } else {
                runs.append(LedgerRun(ledger: checker.ledger, rows: 1, byteCount: checker.start - start, times: time...time))
            }
        }
        return runs
    }
}

/// What is wrong with tuples that should go into `state_changes`.
public struct TupleError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of fault.
    public enum Reason: Hashable, Sendable {
        /// The bytes end inside a row.
        case cutOff
        /// A row has another number of fields.
        case fieldCount(Int)
        /// A field's length is none that its column can have (index in ``StateChangeTuple/columns``).
        case length(Int32, column: Int)
        /// A jsonb field does not begin with the byte 1.
        case jsonVersion
        /// A row of a ledger that the rows must not be of, or whose ids name another ledger than `ledger_number`.
        case ledger(UInt32, allowed: ClosedRange<UInt32>)
        /// There are fewer rows than expected, or more.
        case rowCount(expected: Int)
    }

    /// Index of the row, from 0; with ``Reason/rowCount(expected:)`` how many rows were right.
    public let row: Int
    /// Where in the bytes, from their beginning.
    public let offset: Int
    /// What is wrong there.
    public let reason: Reason

    /// Row, offset and reason in words.
    public var description: String {
        let what =
            switch reason {
            case .cutOff: "the bytes end inside it"
            case .fieldCount(let count): "\(count) fields instead of \(StateChangeTuple.columns.count)"
            case .length(let length, let column): "length \(length) of \(StateChangeTuple.columns[column])"
            case .jsonVersion: "key_value is not jsonb of version 1"
            case .ledger(let ledger, let allowed):
                "ledger \(ledger): not one of \(allowed.lowerBound)-\(allowed.upperBound), or its ids name another ledger"
            case .rowCount(let expected): "\(expected) rows were announced"
            }
        return "malformed rows of state changes: row \(row) at byte \(offset): \(what)"
    }
}

/// Checks tuples row by row.
///
/// The lengths of fields come from outside. After each that may differ it is asked whether the field and all that follows it up to the next
/// such length are there; the loads themselves are checked against the bounds once more.
private struct TupleChecker {
    let ledgers: ClosedRange<UInt32>
    /// Rows checked so far.
    var row = 0
    /// Where the row at hand begins.
    var start = 0
    /// The ledger of the last row checked, and its `ledger_created_at`.
    var ledger: UInt32 = 0
    var createdAt: Int64 = 0

    init(ledgers: ClosedRange<UInt32>) { self.ledgers = ledgers }

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
        ledger = bytes.number32(at: at + 4)
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
        createdAt = Int64(bitPattern: bytes.number64(at: at + 4))
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

// Numbers at an offset that lies inside: the loads are checked against the bounds, and of integers every bit pattern is a value.
extension RawSpan {
    @inline(__always)
    fileprivate func number8(at offset: Int) -> UInt8 {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    fileprivate func number16(at offset: Int) -> UInt16 {
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    fileprivate func number32(at offset: Int) -> UInt32 {
        unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    fileprivate func number64(at offset: Int) -> UInt64 {
        unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
