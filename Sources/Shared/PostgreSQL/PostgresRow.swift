/// One row of a query's answer, in PostgreSQL's text format.
public struct PostgresRow: Sendable, Hashable {
    /// The names of the columns, in order; shared by all rows of an answer.
    public let columns: [String]
    private let values: [String?]

    init(columns: [String], values: [String?]) {
        self.columns = columns
        self.values = values
    }

    /// The text of the column at a position, nil where it is NULL. The position must exist.
    public subscript(position: Int) -> String? { values[position] }

    /// The text of a named column, nil where it is NULL or where there is no such column.
    public subscript(name: String) -> String? {
        columns.firstIndex(of: name).flatMap { values[$0] }
    }

    /// The text of a named column that is never NULL; throws where it is, or where there is no such column.
    public func required(_ name: String) throws(PostgresError) -> String {
        guard let value = self[name] else {
            throw PostgresError(kind: .other, message: "the answer has no value in column \(name)", attempted: "reading a row")
        }
        return value
    }

    /// The number in a named integer column; throws where it is NULL or not a number of the type.
    public func integer<Number: FixedWidthInteger>(_ name: String, as type: Number.Type = Number.self) throws(PostgresError) -> Number {
        let text = try required(name)
        guard let number = Number(text) else {
            throw PostgresError(kind: .other, message: "column \(name) is \(text), not a \(type)", attempted: "reading a row")
        }
        return number
    }
}
