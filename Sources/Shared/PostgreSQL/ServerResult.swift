internal import CLibPQ

/// A `PGresult`, cleared when it goes.
@safe struct ServerResult: ~Copyable {
    private let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe PQclear(pointer) }

    /// The error fields of interest; libpq defines their codes as macros of character constants, which Swift cannot import.
    enum Field: Character {
        case severity = "V"
        case sqlState = "C"
        case message = "M"
        case detail = "D"
        case hint = "H"
    }

    static func field(_ field: Field, of pointer: OpaquePointer) -> String? {
        unsafe PQresultErrorField(pointer, Int32(field.rawValue.asciiValue ?? 0)).map { unsafe String(cString: $0) }
    }

    var status: ExecStatusType { unsafe PQresultStatus(pointer) }

    /// The command tag, such as `COMMIT` or `COPY 12`.
    var commandTag: String { unsafe String(cString: PQcmdStatus(pointer)) }

    /// How many rows the statement touched, where it is one that counts rows.
    var affectedRows: Int? { unsafe Int(String(cString: PQcmdTuples(pointer))) }

    var rows: [PostgresRow] {
        let columnCount = unsafe PQnfields(pointer)
        let columns = (0..<columnCount).map { unsafe String(cString: PQfname(pointer, $0)) }
        return unsafe (0..<PQntuples(pointer)).map { row in
            PostgresRow(
                columns: columns,
                values: (0..<columnCount).map { column in
                    unsafe PQgetisnull(pointer, row, column) == 1 ? nil : String(cString: PQgetvalue(pointer, row, column))
                })
        }
    }

    var rowCount: Int { unsafe Int(PQntuples(pointer)) }
    var columnCount: Int { unsafe Int(PQnfields(pointer)) }

    /// Lends the bytes of a value as they came; nil for NULL. Row and column must exist.
    func withBytes<Value, Failure: Error>(
        row: Int, column: Int, _ body: (RawSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value? {
        precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "no such value")
        let (row, column) = (Int32(row), Int32(column))
        guard unsafe PQgetisnull(pointer, row, column) == 0, let start = unsafe PQgetvalue(pointer, row, column) else { return nil }
        return unsafe try body(RawSpan(_unsafeStart: start, byteCount: Int(PQgetlength(pointer, row, column))))
    }

    /// The error that this result stands for, if it is one.
    func error(attempted: String) -> PostgresError? {
        guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR else { return nil }
        let whole = unsafe String(cString: PQresultErrorMessage(pointer)).trimmed
        var error = unsafe PostgresError(kind: .other, message: Self.field(.message, of: pointer) ?? whole, attempted: attempted)
        error.sqlState = unsafe Self.field(.sqlState, of: pointer)
        error.detail = unsafe Self.field(.detail, of: pointer)
        error.hint = unsafe Self.field(.hint, of: pointer)
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

/// The rows of a query in PostgreSQL's binary format, in libpq's own memory until this value goes.
public struct BinaryRows: ~Copyable {
    private let result: ServerResult

    init(_ result: consuming ServerResult) {
        self.result = result
    }

    /// How many rows there are.
    public var count: Int { result.rowCount }

    /// Lends the bytes of a value; nil for NULL. Row and column must exist.
    public func withBytes<Value, Failure: Error>(
        row: Int, column: Int, _ body: (RawSpan) throws(Failure) -> Value
    ) throws(Failure) -> Value? {
        try result.withBytes(row: row, column: column, body)
    }

    /// A copy of the bytes of a value; nil for NULL. Row and column must exist.
    public func bytes(row: Int, column: Int) -> [UInt8]? {
        result.withBytes(row: row, column: column) { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    }
}

/// One row of a query's result, in PostgreSQL's text format.
public struct PostgresRow: Sendable, Hashable {
    /// The names of the columns, in order; shared by all rows of a result.
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
            throw PostgresError(kind: .other, message: "the result has no value in column \(name)", attempted: "reading a row")
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

/// A warning or notice that the server sent beside its results.
public struct PostgresNotice: Sendable, Hashable {
    /// `WARNING`, `NOTICE`, `INFO`, ...: always in English.
    public let severity: String
    /// The five characters of SQLSTATE.
    public let sqlState: String
    /// The primary message.
    public let message: String
}

/// Where a connection's notices go; libpq holds an unretained pointer to it for as long as the connection lives.
final class NoticeSink {
    private let handler: @Sendable (PostgresNotice) -> Void

    init(_ handler: @escaping @Sendable (PostgresNotice) -> Void) {
        self.handler = handler
    }

    /// Takes the place of libpq's own receiver, which prints to stderr. The caller keeps the sink until after PQfinish.
    func receiveNotices(of connection: OpaquePointer) {
        unsafe PQsetNoticeReceiver(
            connection,
            { argument, result in
                guard let argument = unsafe argument, let result = unsafe result else { return }
                unsafe Unmanaged<NoticeSink>.fromOpaque(argument).takeUnretainedValue().receive(result)
            }, unsafe Unmanaged.passUnretained(self).toOpaque())
    }

    private func receive(_ result: OpaquePointer) {
        unsafe handler(
            PostgresNotice(
                severity: ServerResult.field(.severity, of: result) ?? "NOTICE",
                sqlState: ServerResult.field(.sqlState, of: result) ?? "00000",
                message: ServerResult.field(.message, of: result) ?? "(no message)"))
    }
}
