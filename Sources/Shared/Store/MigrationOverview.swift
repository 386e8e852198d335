public import PostgreSQL
public import StateChanges

/// What the database says of all registered protocols and of who works on them, read in one snapshot.
///
/// Reads only: it holds nobody up, and gives up where a lock or an answer does not come within seconds.
public struct MigrationOverview: Sendable, Hashable {
    /// One of the two migrations of a protocol.
    public struct Migration: Sendable, Hashable {
        /// As it stands in the table; nil where the table has no such column.
        public let status: String?
        /// The last ledger that is done.
        public let cursor: CursorReading
        /// The sessions that hold the migration's lock, of this program or of the Go tool.
        public let holders: [LockHolder]
    }

    /// A row of `protocols`, with what belongs to it.
    public struct Record: Sendable, Hashable {
        /// The protocol.
        public let id: ProtocolID
        /// Whether its contracts are known; nil where the table has no such column.
        public let classificationStatus: String?
        /// The migration of its history.
        public let history: Migration
        /// The migration of its current state, which the Go tool does.
        public let currentState: Migration
    }

    /// Those of the tables that are needed for an overview and are not there; without them there is nothing else here.
    public let missingTables: [String]
    /// In the order of their ids.
    public let records: [Record]
    /// `oldest_ingest_ledger`, under its configured name.
    public let oldest: CursorReading
    /// `latest_ingest_ledger`, under its configured name: the target of every migration.
    public let latest: CursorReading
    /// The sessions that hold live ingestion's lock; nil where its network is not known.
    public let liveIngestion: [LockHolder]?

    /// Reads it.
    /// - Parameter network: the name that live ingestion was started with.
    public static func read(
        names: CursorNames, network: String?, on connection: PostgresConnection
    ) async throws(StoreError) -> MigrationOverview {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.snapshot) { () throws(StoreError) in try read(names, network, in: session) }
        }
    }

    private static func read(
        _ names: CursorNames, _ network: String?, in session: PostgresSession
    ) throws(StoreError) -> MigrationOverview {
        let (missing, rows, cursors) = try StoreError.wrapping { () throws(PostgresError) in
            let missing = try session.query(
                "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL",
                [["ingest_store", "protocols"].arrayLiteral],
                label: "looking for the tables"
            ).map { row throws(PostgresError) in try row.required("name") }
            guard missing.isEmpty else { return (missing, [] as [PostgresRow], [:] as [String: CursorReading]) }
            // As JSON, so that a column that an older version of the table does not have is NULL.
            let rows = try session.query(
                """
                SELECT p ->> 'id' AS id, p ->> 'classification_status' AS classification, p ->> 'history_migration_status' AS history,
                       p ->> 'current_state_migration_status' AS current_state
                FROM (SELECT to_jsonb(protocols) FROM protocols) AS rows(p) ORDER BY 1
                """, label: "reading table protocols")
            let ids = try rows.map { row throws(PostgresError) in ProtocolID(rawValue: try row.required("id")) }
            let cursors = try session.readCursors(
                [names.oldest, names.latest] + ids.flatMap { [CursorNames.history($0), CursorNames.currentState($0)] })
            return (missing, rows, cursors)
        }
        let ids = rows.map { ProtocolID(rawValue: $0["id"] ?? "") }
        let live = network.map { AdvisoryLock.liveIngestionName(network: $0) }
        let locks = ids.flatMap { AdvisoryLock.migrationNames($0) + [AdvisoryLock.currentStateName($0)] } + [live].compactMap { $0 }
        let holders = try AdvisoryLock.holders(ofEach: locks, in: session)
        let records = zip(ids, rows).map { id, row in
            Record(
                id: id, classificationStatus: row["classification"],
                history: Migration(
                    status: row["history"], cursor: cursors[CursorNames.history(id)] ?? .missing,
                    holders: once(AdvisoryLock.migrationNames(id).flatMap { holders[$0] ?? [] })),
                currentState: Migration(
                    status: row["current_state"], cursor: cursors[CursorNames.currentState(id)] ?? .missing,
                    holders: holders[AdvisoryLock.currentStateName(id)] ?? []))
        }
        return MigrationOverview(
            missingTables: missing, records: records, oldest: cursors[names.oldest] ?? .missing, latest: cursors[names.latest] ?? .missing,
            liveIngestion: live.map { holders[$0] ?? [] })
    }

    /// One session may hold several of a migration's locks.
    private static func once(_ holders: [LockHolder]) -> [LockHolder] {
        var seen: Set<Int32> = []
        return holders.filter { seen.insert($0.pid).inserted }
    }
}

extension CursorNames {
    /// The key of a protocol's current-state cursor, which the Go tool moves.
    public static func currentState(_ id: ProtocolID) -> String { "protocol_\(id.rawValue)_current_state_cursor" }
}
