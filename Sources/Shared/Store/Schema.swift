public import PostgreSQL
public import StateChanges

/// The tables that the program works on.
public enum Schema {
    /// What `create` did.
    public struct Creation: Sendable, Hashable {
        /// Tables that were missing.
        public let createdTables: [String]
        /// `state_changes` was made a TimescaleDB hypertable.
        public let isHypertable: Bool
        /// Protocols that had no row in `protocols`.
        public let registeredProtocols: [ProtocolID]
    }

    /// Creates the tables that are missing and registers protocols that are not: `migrate up`. May be repeated; never alters an existing table.
    ///
    /// One transaction; a second one at the same time waits. Throws `schemaMismatch` where an existing table is not that of the contract (and then
    /// leaves everything as it was).
    public static func create(registering ids: [ProtocolID], on connection: PostgresConnection) async throws(StoreError) -> Creation {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.readCommitted) { () throws(StoreError) in try create(registering: ids, in: session) }
        }
    }

    /// Reads the columns of the tables and throws `schemaMismatch` with every difference that would matter. Writes nothing.
    public static func verify(on connection: PostgresConnection) async throws(StoreError) {
        let differences = try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.snapshot) { () throws(StoreError) in try SchemaInspection.differences(in: session) }
        }
        guard differences.isEmpty else { throw .schemaMismatch(differences) }
    }

    private static func create(registering ids: [ProtocolID], in session: PostgresSession) throws(StoreError) -> Creation {
        let (created, hasTimescale) = try StoreError.wrapping { () throws(PostgresError) in
            // CREATE ... IF NOT EXISTS of two sessions at once can collide in the catalogs.
            try session.query("SELECT pg_advisory_xact_lock($1)", [String(AdvisoryLock.key(for: "wallet-backend-migrate-up"))])
            var created: [String] = []
            for table in TableDefinition.all where try session.query("SELECT to_regclass($1) AS found", [table.name]).first?["found"] == nil
            {
                try session.query(table.createStatement, label: "creating table \(table.name)")
                created.append(table.name)
            }
            let hasTimescale = try !session.query("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").isEmpty
            if created.contains(TableDefinition.stateChanges.name) {
                for statement in TableDefinition.stateChangeIndexes { try session.query(statement) }
                if hasTimescale { try session.execute(hypertableScript, label: "making state_changes a hypertable") }
            }
            return (created, hasTimescale)
        }
        let differences = try SchemaInspection.differences(in: session)
        guard differences.isEmpty else { throw .schemaMismatch(differences) }
        let registered = try StoreError.wrapping { () throws(PostgresError) in
            try session.query(
                "INSERT INTO protocols (id) SELECT unnest($1::text[]) ON CONFLICT (id) DO NOTHING RETURNING id", [ids.arrayLiteral],
                label: "registering protocols"
            ).map { row throws(PostgresError) in ProtocolID(rawValue: try row.required("id")) }
        }
        return Creation(
            createdTables: created, isHypertable: hasTimescale && created.contains(TableDefinition.stateChanges.name),
            registeredProtocols: registered.sorted())
    }

    /// One-day chunks on the close time, compressed by account.
    private static let hypertableScript = """
        SELECT create_hypertable('state_changes', 'ledger_created_at', chunk_time_interval => INTERVAL '1 day', if_not_exists => TRUE);
        ALTER TABLE state_changes SET (timescaledb.compress, timescaledb.compress_segmentby = 'account_id',
            timescaledb.compress_orderby = 'ledger_created_at DESC, to_id DESC, operation_id DESC, state_change_id DESC')
        """
}
