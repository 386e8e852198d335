internal import PostgreSQL
internal import Protocols

extension StoreError {
    /// Runs a body that only talks to the database; its errors become `database` or what `wrap` makes of them.
    static func wrapping<Value>(
        _ wrap: (PostgresError) -> StoreError = StoreError.database, _ body: () throws(PostgresError) -> Value
    ) throws(StoreError) -> Value {
        do throws(PostgresError) { return try body() } catch { throw wrap(error) }
    }
}

extension PostgresSession {
    /// A transaction whose body may find more wrong than PostgreSQL does.
    func storeTransaction<Value>(_ mode: TransactionMode, _ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try transaction(mode, rethrowing: StoreError.database, body)
    }

    /// Reads cursors: every key is in the answer.
    func readCursors(_ keys: [String]) throws(PostgresError) -> [String: CursorReading] {
        let rows = try query(
            "SELECT key, value FROM ingest_store WHERE key = ANY($1)", [keys.arrayLiteral], label: "reading cursors from ingest_store")
        var readings: [String: CursorReading] = Dictionary(keys.map { ($0, .missing) }, uniquingKeysWith: { first, _ in first })
        for row in rows { readings[try row.required("key")] = CursorReading(row["value"]) }
        return readings
    }
}

extension [String] {
    /// The texts as the text form of a PostgreSQL array.
    var arrayLiteral: String {
        let quoted = map { text in
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + quoted.joined(separator: ",") + "}"
    }
}

extension [ProtocolID] {
    /// The names as the text form of a PostgreSQL array.
    var arrayLiteral: String { map(\.rawValue).arrayLiteral }
}
