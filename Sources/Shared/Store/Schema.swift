public import PostgreSQL
public import StateChanges

/// The tables that the program works on.
public enum Schema {
    /// What `create` did.
    public struct Creation: Sendable, Hashable {
        /// Tables that were missing.
        public let createdTables: [String]
        /// Protocols that had no row in `protocols`.
        public let registeredProtocols: [ProtocolID]
        /// How `state_changes` is kept otherwise than expected.
        public let notes: [SchemaNote]
    }

    /// Creates the tables that are missing and registers protocols that are not: `migrate up`. May be repeated; never alters an existing table.
    ///
    /// One transaction; a second one at the same time waits. Throws `schemaMismatch` where an existing table is not that of the contract (and then
    /// leaves everything as it was).
    /// - Parameter layout: how `state_changes` is kept where it is made here.
    public static func create(
        _ layout: TableLayout = .plain, registering ids: [ProtocolID], on connection: PostgresConnection
    ) async throws(StoreError) -> Creation {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.readCommitted) { () throws(StoreError) in try create(layout, registering: ids, in: session) }
        }
    }

    /// Reads the columns, keys and indexes of the tables and throws `schemaMismatch` with every difference that would matter. Writes nothing.
    /// - Returns: differences that do not matter so much, to be logged.
    public static func verify(on connection: PostgresConnection) async throws(StoreError) -> [SchemaNote] {
        let found = try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.snapshot) { () throws(StoreError) in try SchemaInspection.run(in: session) }
        }
        return try found.notesIfUsable()
    }

    private static func create(
        _ layout: TableLayout, registering ids: [ProtocolID], in session: PostgresSession
    ) throws(StoreError) -> Creation {
        let created = try StoreError.wrapping { () throws(PostgresError) in
            // CREATE ... IF NOT EXISTS of two sessions at once can collide in the catalogs.
            try session.query("SELECT pg_advisory_xact_lock($1)", [String(AdvisoryLock.key(for: "wallet-backend-migrate-up"))])
            var created: [String] = []
            for table in TableDefinition.all where try session.query("SELECT to_regclass($1) AS found", [table.name]).first?["found"] == nil
            {
                let isStateChanges = table.name == TableDefinition.stateChanges.name
                try session.query(table.createStatement(isStateChanges ? layout.clause : ""), label: "creating table \(table.name)")
                if isStateChanges {
                    for statement in StateChangeIndexes.createStatements + layout.statements { try session.query(statement) }
                }
                created.append(table.name)
            }
            return created
        }
        let notes = try SchemaInspection.run(in: session).notesIfUsable()
        let registered = try StoreError.wrapping { () throws(PostgresError) in
            try session.query(
                "INSERT INTO protocols (id) SELECT unnest($1::text[]) ON CONFLICT (id) DO NOTHING RETURNING id", [ids.arrayLiteral],
                label: "registering protocols"
            ).map { row throws(PostgresError) in ProtocolID(rawValue: try row.required("id")) }
        }
        return Creation(createdTables: created, registeredProtocols: registered.sorted(), notes: notes)
    }
}
