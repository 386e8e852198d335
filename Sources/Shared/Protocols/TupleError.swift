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
