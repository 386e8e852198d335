public import PostgreSQL
public import StateChanges

/// A history that is to be done again from the start, set back in an order that is safe beside live ingestion: first the cursor, so that live
/// ingestion's swaps fail and it writes no more rows; then the ledger is read that it has come to; then the rows up to that ledger are deleted.
///
/// The caller holds the migration's locks and the writer's, so that nobody else inserts rows. Broken off at any point, all of it can be done again.
public struct HistoryReset: Sendable, Hashable {
    /// The protocols that were set back: those that were not in progress.
    public let protocols: [ProtocolID]
    /// Where their history cursors stand now: before the oldest ledger that is kept.
    public let cursor: UInt32
    /// The latest ledger whose rows can be there; nil where nothing was ingested yet.
    public let latest: UInt32?

    package init(protocols: [ProtocolID], cursor: UInt32, latest: UInt32?) {
        self.protocols = protocols
        self.cursor = cursor
        self.latest = latest
    }

    /// Puts the cursors before the oldest ledger and the statuses to `not_started`, in one transaction that waits for the disk; then reads the latest
    /// ingested ledger. A protocol that is `in_progress` is left as it is.
    ///
    /// Throws `ingestionNotStarted`, `malformedCursor` or `unknownProtocols`, and then has written nothing.
    public static func begin(_ ids: [ProtocolID], names: CursorNames, on connection: PostgresConnection) async throws(StoreError)
        -> HistoryReset
    {
        try await connection.perform { session throws(StoreError) in
            let (protocols, cursor) = try session.storeTransaction(.durable) { () throws(StoreError) in
                let idle = try setBack(ids, in: session)
                let reading = try StoreError.wrapping { () throws(PostgresError) in
                    try session.readCursors([names.oldest])[names.oldest] ?? .missing
                }
                guard let oldest = try reading.ledger(ofKey: names.oldest), oldest > 0 else {
                    throw .ingestionNotStarted(key: names.oldest, reading)
                }
                // Who may not delete the rows is refused here, with nothing written.
                try StoreError.wrapping { () throws(PostgresError) in
                    _ = try session.query("DELETE FROM state_changes WHERE false", [], label: "asking for the right to delete rows")
                }
                // In the order of their keys, like every transaction that locks several cursors.
                for id in idle {
                    try StoreError.wrapping { () throws(PostgresError) in
                        _ = try session.query(
                            "INSERT INTO ingest_store (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                            [CursorNames.history(id), String(oldest - 1)], label: "setting \(CursorNames.history(id)) back")
                    }
                }
                return (idle, oldest - 1)
            }
            // A transaction of live ingestion that has swapped the cursor before is committed, and seen.
            let latest = try StoreError.wrapping { () throws(PostgresError) in
                try session.readCursors([names.latest])[names.latest] ?? .missing
            }
            return HistoryReset(protocols: protocols, cursor: cursor, latest: try latest.ledger(ofKey: names.latest))
        }
    }

    private static func setBack(_ ids: [ProtocolID], in session: PostgresSession) throws(StoreError) -> [ProtocolID] {
        let records = try ProtocolRecord.read(ids, locking: true, in: session)
        let missing = Set(ids).subtracting(records.keys)
        guard missing.isEmpty else { throw .unknownProtocols(missing.sorted()) }
        let idle = records.values.filter { $0.historyMigrationStatus != .inProgress }.map(\.id).sorted()
        try MigrationRecords.setStatus(.notStarted, idle, in: session)
        return idle
    }

    /// The days, from midnight to midnight UTC, from the first row of the table to the last one, as close times in microseconds since 2000-01-01: the
    /// slices of a plain table.
    public static func days(on connection: PostgresConnection) async throws(StoreError) -> [Range<Int64>] {
        do throws(PostgresError) {
            let row = try await connection.query(
                """
                SELECT floor(extract(epoch FROM min(ledger_created_at) - timestamptz '2000-01-01 00:00Z') / 86400)::bigint AS first,
                       floor(extract(epoch FROM max(ledger_created_at) - timestamptz '2000-01-01 00:00Z') / 86400)::bigint AS last
                FROM state_changes
                """, label: "asking which days state_changes has"
            ).first
            guard let row, row["first"] != nil else { return [] }
            let (first, last): (Int64, Int64) = (try row.integer("first"), try row.integer("last"))
            return (first...max(first, last)).map { ($0 * day)..<(($0 + 1) * day) }
        } catch {
            throw .database(error)
        }
    }

    private static let day: Int64 = 86_400_000_000

    /// Deletes the rows of the protocols up to `latest` with these close times (microseconds since 2000-01-01), in one transaction.
    ///
    /// Throws `resetOvertaken`, with nothing deleted, where a status or a cursor does not stand as it was set.
    /// - Parameters:
    ///   - stateChangeIDs: the numbers of each protocol's rows.
    ///   - settings: statements that are run before in the same transaction.
    /// - Returns: how many rows.
    public func deleteRows(
        closedIn times: Range<Int64>, stateChangeIDs: [ProtocolID: Range<Int64>], settings: [String], on connection: PostgresConnection
    ) async throws(StoreError) -> Int {
        guard let latest, !protocols.isEmpty else { return 0 }
        let ranges = protocols.compactMap { stateChangeIDs[$0] }.map {
            "state_change_id >= \($0.lowerBound) AND state_change_id < \($0.upperBound)"
        }
        // Numbers in the statement itself: so chunks that have none of these times are left out before they are locked.
        let statement = """
            WITH deleted AS (
                DELETE FROM state_changes
                WHERE ledger_created_at >= \(Self.literal(times.lowerBound)) AND ledger_created_at < \(Self.literal(times.upperBound))
                    AND to_id < \((Int64(latest) + 1) << 32) AND (\(ranges.joined(separator: " OR ")))
                RETURNING 1)
            SELECT count(*) AS rows FROM deleted
            """
        return try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.relaxed) { () throws(StoreError) in
                try requireReset(in: session)
                return try StoreError.wrapping { () throws(PostgresError) in
                    for setting in settings { _ = try session.execute(setting, label: "before deleting rows") }
                    return try session.query(
                        statement, [], label: "deleting the rows of \(protocols.map(\.rawValue).joined(separator: ", "))"
                    )
                    .first?.integer("rows") ?? 0
                }
            }
        }
    }

    private static func literal(_ time: Int64) -> String { "to_timestamp(\(time / 1_000_000 + 946_684_800))" }

    /// Nobody else can begin a migration until the transaction ends.
    private func requireReset(in session: PostgresSession) throws(StoreError) {
        let records = try ProtocolRecord.read(protocols, locking: true, in: session)
        let cursors = try StoreError.wrapping { () throws(PostgresError) in try session.readCursors(protocols.map(CursorNames.history)) }
        for id in protocols {
            let status = records[id]?.historyMigrationStatus
            let found = cursors[CursorNames.history(id)] ?? .missing
            guard status == .notStarted, found == .ledger(cursor) else {
                throw .resetOvertaken(id, status: status?.rawValue ?? "missing", cursor: found, expected: cursor)
            }
        }
    }
}
