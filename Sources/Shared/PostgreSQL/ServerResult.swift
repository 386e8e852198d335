internal import CLibPQ

/// A `PGresult`, cleared when it goes.
struct ServerResult: ~Copyable {
    private let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { PQclear(pointer) }

    /// The error fields of interest; libpq defines their codes as macros of character constants, which Swift cannot import.
    enum Field: Character {
        case severity = "V"
        case sqlState = "C"
        case message = "M"
        case detail = "D"
        case hint = "H"
    }

    static func field(_ field: Field, of pointer: OpaquePointer) -> String? {
        PQresultErrorField(pointer, Int32(field.rawValue.asciiValue ?? 0)).map { String(cString: $0) }
    }

    var status: ExecStatusType { PQresultStatus(pointer) }

    /// The command tag, such as `COMMIT` or `COPY 12`.
    var commandTag: String { String(cString: PQcmdStatus(pointer)) }

    /// How many rows the statement touched, where it is one that counts rows.
    var affectedRows: Int? { Int(String(cString: PQcmdTuples(pointer))) }

    var rows: [PostgresRow] {
        let columnCount = PQnfields(pointer)
        let columns = (0..<columnCount).map { String(cString: PQfname(pointer, $0)) }
        return (0..<PQntuples(pointer)).map { row in
            PostgresRow(
                columns: columns,
                values: (0..<columnCount).map { column in
                    PQgetisnull(pointer, row, column) == 1 ? nil : String(cString: PQgetvalue(pointer, row, column))
                })
        }
    }

    /// The error that this result stands for, if it is one.
    func error(attempted: String) -> PostgresError? {
        guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR else { return nil }
        let whole = String(cString: PQresultErrorMessage(pointer)).trimmed
        var error = PostgresError(kind: .other, message: Self.field(.message, of: pointer) ?? whole, attempted: attempted)
        error.sqlState = Self.field(.sqlState, of: pointer)
        error.detail = Self.field(.detail, of: pointer)
        error.hint = Self.field(.hint, of: pointer)
        error.kind = error.sqlState.map(PostgresError.kind(ofSQLState:)) ?? .other
        return error
    }
}

extension String {
    /// Without the line ends and spaces around it that libpq puts at the end of its messages, and on one line.
    var trimmed: String {
        split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.joined(separator: " ")
    }
}
