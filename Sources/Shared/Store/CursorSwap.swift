public import PostgreSQL
public import Protocols

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
        let answers = try session.execute(
            try script(ids, from: expected, to: new, in: session), label: "swapping the history cursors of \(ids)")
        return outcomes(ids, answers[...])
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

    /// Reads the two answers to `script`.
    static func outcomes(_ ids: [ProtocolID], _ answers: ArraySlice<[PostgresRow]>) -> [ProtocolID: CursorSwapOutcome] {
        let found = Dictionary((answers.first ?? []).map { ($0["key"], $0["value"]) }, uniquingKeysWith: { first, _ in first })
        let swapped = Set((answers.last ?? []).map { $0["key"] })
        return Dictionary(
            ids.map { id in
                let key = CursorNames.history(id)
                return (id, swapped.contains(key) ? .swapped : .refused(CursorReading(found[key] ?? nil)))
            }, uniquingKeysWith: { first, _ in first })
    }
}
