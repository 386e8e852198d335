public import PostgreSQL
public import StateChanges

/// The keys of the cursors in `ingest_store`.
public struct CursorNames: Sendable, Hashable {
    /// The first ledger that live ingestion keeps.
    public let oldest: String
    /// The last ledger that live ingestion has committed.
    public let latest: String

    /// The names that live ingestion uses unless it is given others.
    public init(oldest: String = "oldest_ingest_ledger", latest: String = "latest_ingest_ledger") {
        self.oldest = oldest
        self.latest = latest
    }

    /// The key of a protocol's history cursor: the last ledger whose state changes of that protocol are in the database.
    public static func history(_ id: ProtocolID) -> String { id.historyCursorKey }
}

/// What stands in `ingest_store` under a cursor's key.
public enum CursorReading: Sendable, Hashable, CustomStringConvertible {
    /// There is no such row.
    case missing
    /// A ledger number, 0 included.
    case ledger(UInt32)
    /// A text that is not the canonical decimal form of a ledger number, from 0 to 2147483647 (`ledger_number` is a PostgreSQL integer).
    case malformed(String)

    /// Reads the text of a cursor; nil for a missing row.
    ///
    /// Only the canonical form counts (no sign, no leading zeros, no spaces): cursors are swapped by comparing text, and a swap would never find any
    /// other form.
    public init(_ text: String?) {
        guard let text else {
            self = .missing
            return
        }
        guard let number = Int32(text), number >= 0, String(number) == text else {
            self = .malformed(text)
            return
        }
        self = .ledger(UInt32(number))
    }

    /// The ledger number; nil for a missing row. Throws `malformedCursor`, naming the key.
    public func ledger(ofKey key: String) throws(StoreError) -> UInt32? {
        switch self {
        case .missing: nil
        case .ledger(let number): number
        case .malformed(let text): throw .malformedCursor(key: key, value: text)
        }
    }

    /// For messages.
    public var description: String {
        switch self {
        case .missing: "missing"
        case .ledger(let number): "\(number)"
        case .malformed(let text): "'\(text)' (not a ledger number)"
        }
    }
}

/// What came of swapping a protocol's history cursor.
public enum CursorSwapOutcome: Sendable, Hashable {
    /// It stood where it was expected, and stands at the new ledger when the transaction commits.
    case swapped
    /// It stood elsewhere and was left there: a ledger, a missing row or a text that is not a ledger number.
    case refused(CursorReading)
}

/// The compare-and-swap of history cursors, inside of a transaction that the caller has opened.
public enum CursorSwap {
    /// Swaps history cursors in the session's open transaction (READ COMMITTED). Waits for another transaction that has moved one of them.
    public static func swap(
        _ ids: [ProtocolID], from expected: UInt32, to new: UInt32, in session: PostgresSession
    ) throws(PostgresError) -> [ProtocolID: CursorSwapOutcome] {
        guard !ids.isEmpty else { return [:] }
        let rows = try session.execute(
            try script(ids, from: expected, to: new, in: session), label: "swapping the history cursors of \(ids)")
        return outcomes(ids, rows[...])
    }

    /// Two statements that swap the cursors of several protocols. The first locks the rows, in the order of their keys, and shows what is in them;
    /// so the second finds just that.
    static func script(_ ids: [ProtocolID], from expected: UInt32, to new: UInt32, in session: PostgresSession) throws(PostgresError)
        -> String
    {
        var keys: [String] = []
        for id in ids { keys.append(try session.literal(CursorNames.history(id))) }
        let list = keys.joined(separator: ", ")
        return """
            SELECT key, value FROM ingest_store WHERE key IN (\(list)) ORDER BY key FOR NO KEY UPDATE;
            UPDATE ingest_store SET value = '\(new)' WHERE key IN (\(list)) AND value = '\(expected)' RETURNING key
            """
    }

    /// Reads the rows of the two statements of `script`.
    static func outcomes(_ ids: [ProtocolID], _ rows: ArraySlice<[PostgresRow]>) -> [ProtocolID: CursorSwapOutcome] {
        let found = Dictionary((rows.first ?? []).map { ($0["key"], $0["value"]) }, uniquingKeysWith: { first, _ in first })
        let swapped = Set((rows.last ?? []).map { $0["key"] })
        return Dictionary(
            ids.map { id in
                let key = CursorNames.history(id)
                return (id, swapped.contains(key) ? .swapped : .refused(CursorReading(found[key] ?? nil)))
            }, uniquingKeysWith: { first, _ in first })
    }
}

extension PostgresSession {
    /// Reads cursors: every key is in the result.
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
