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

    /// Checks the framing of tuples that came from elsewhere, so that a COPY of them neither fails half-way nor stores rows of other ledgers:
    /// the lengths of every field, the number of rows, and that each row's ledger is one of the range and the same in `ledger_number`,
    /// `to_id` and `operation_id`. Texts are left to the constraints of the table.
    ///
    /// - Parameters:
    ///   - bytes: the tuples, nothing before, between or after them.
    ///   - expectedRows: how many there should be.
    ///   - ledgers: the ledgers that they may be of.
    /// - Throws: ``TupleError`` for the first thing that is wrong.
    public static func check(_ bytes: RawSpan, expectedRows: Int, ledgers: ClosedRange<UInt32>) throws(TupleError) {
        var checker = TupleChecker(ledgers: ledgers)
        while checker.start < bytes.byteCount {
            // Not counted beyond what is expected: too many rows are found out at the first of them.
            guard checker.row < expectedRows else { throw checker.error(.rowCount(expected: expectedRows), checker.start) }
            try checker.checkRow(bytes)
        }
        guard checker.row == expectedRows else { throw checker.error(.rowCount(expected: expectedRows), checker.start) }
    }
}
