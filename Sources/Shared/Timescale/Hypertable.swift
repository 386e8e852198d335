public import PostgreSQL
public import Store

/// What `state_changes` is to TimescaleDB.
public struct Hypertable: Sendable, Hashable {
    /// Where the table is: its schema and its name, not quoted.
    public let schema: String
    /// See `schema`.
    public let name: String
    /// The role that owns the table. Only it, who is a member of it, or a superuser may decompress chunks and alter jobs.
    public let owner: String
    /// The role of the connection that asked.
    public let role: String
    /// Whether that role may do what the owner may.
    public let isOwner: Bool
    /// Whether its chunks can be compressed.
    public let hasColumnstore: Bool
    /// The schema of TimescaleDB's functions, quoted for SQL: not every database has it in the search path.
    public let functions: String

    /// A hypertable as the catalogue describes it.
    public init(schema: String, name: String, owner: String, role: String, isOwner: Bool, hasColumnstore: Bool, functions: String) {
        self.schema = schema
        self.name = name
        self.owner = owner
        self.role = role
        self.isOwner = isOwner
        self.hasColumnstore = hasColumnstore
        self.functions = functions
    }

    /// Looks for it; nil where the table is a plain one.
    public static func find(on connection: PostgresConnection) async throws(StoreError) -> Hypertable? {
        try await connection.perform { session throws(StoreError) in
            do throws(PostgresError) { return try find(in: session) } catch { throw .database(error) }
        }
    }

    static func find(in session: PostgresSession) throws(PostgresError) -> Hypertable? {
        let label = "asking whether state_changes is a hypertable"
        // Without the extension its views are not there, and a statement that names them would fail.
        let hasViews = try session.query(
            "SELECT 1 WHERE to_regclass('timescaledb_information.hypertables') IS NOT NULL", [], label: label)
        if hasViews.isEmpty { return nil }
        let found = try session.query(
            """
            SELECT hypertable_schema AS schema, hypertable_name AS name, c.relowner::regrole::text AS owner, current_user AS role,
                   pg_has_role(c.relowner, 'USAGE') AS is_owner, compression_enabled AS has_columnstore,
                   (SELECT quote_ident(nspname) FROM pg_proc f JOIN pg_namespace n ON n.oid = pronamespace
                    WHERE proname = 'decompress_chunk' ORDER BY f.oid LIMIT 1) AS functions
            FROM timescaledb_information.hypertables
            JOIN pg_class c ON c.oid = to_regclass('state_changes') AND c.oid = to_regclass(format('%I.%I', hypertable_schema, hypertable_name))
            """, [], label: label)
        guard let row = found.first else { return nil }
        return Hypertable(
            schema: try row.required("schema"), name: try row.required("name"), owner: try row.required("owner"),
            role: try row.required("role"), isOwner: row["is_owner"] == "t", hasColumnstore: row["has_columnstore"] == "t",
            functions: row["functions"] ?? "public")
    }

    /// All chunks, in the order of their times.
    func chunks(in session: PostgresSession) throws(PostgresError) -> [Chunk] {
        let rows = try session.query(
            """
            SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS name, c.is_compressed,
                   ((extract(epoch FROM c.range_start) - 946684800) * 1000000)::bigint AS from_time,
                   ((extract(epoch FROM c.range_end) - 946684800) * 1000000)::bigint AS until_time,
                   coalesce(s.numrows_pre_compression, 0) AS rows, coalesce(s.numrows_post_compression, 0) AS batches,
                   coalesce(s.uncompressed_heap_size + s.uncompressed_toast_size + s.uncompressed_index_size, 0) AS bytes,
                   coalesce(s.compressed_heap_size + s.compressed_toast_size + s.compressed_index_size, 0) AS compressed_bytes
            FROM timescaledb_information.chunks c
            LEFT JOIN _timescaledb_catalog.chunk k ON k.schema_name = c.chunk_schema AND k.table_name = c.chunk_name
            LEFT JOIN _timescaledb_catalog.compression_chunk_size s ON s.chunk_id = k.id
            WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2 ORDER BY c.range_start
            """, [schema, name], label: "reading the chunks of state_changes")
        var chunks: [Chunk] = []
        for row in rows {
            let from: Int64 = try row.integer("from_time")
            let until: Int64 = try row.integer("until_time")
            guard from < until else { continue }
            let isCompressed = row["is_compressed"] == "t"
            func number(_ column: String) throws(PostgresError) -> Int { isCompressed ? try row.integer(column) : 0 }
            chunks.append(
                Chunk(
                    name: try row.required("name"), times: from..<until, isCompressed: isCompressed, rows: try number("rows"),
                    batches: try number("batches"), bytes: try number("bytes"), compressedBytes: try number("compressed_bytes")))
        }
        return chunks
    }

    /// Moves the next start of the compression policy to this many seconds from now, where it would come earlier; of the schedule itself nothing is changed,
    /// so that it goes on as before when nobody moves it any more.
    /// - Returns: how many jobs were moved.
    func postponePolicy(seconds: Int, in session: PostgresSession) throws(PostgresError) -> Int {
        try moveJobs(
            "next_start => now() + make_interval(secs => \(seconds))",
            where: "coalesce(next_start, '-infinity') < now() + make_interval(secs => \(seconds - seconds / 10))", in: session)
    }

    /// Lets the compression policy start at once, where it would come later.
    /// - Parameter within: only where it would come within so many seconds; nil: whenever it would come.
    /// - Returns: how many jobs were moved.
    func startPolicy(within seconds: Int?, in session: PostgresSession) throws(PostgresError) -> Int {
        let limit = seconds.map { " AND next_start <= now() + make_interval(secs => \($0))" } ?? ""
        return try moveJobs("next_start => now()", where: "next_start > now()" + limit, in: session)
    }

    private func moveJobs(_ change: String, where condition: String, in session: PostgresSession) throws(PostgresError) -> Int {
        try session.query(
            """
            SELECT \(functions).alter_job(job_id, \(change)) FROM timescaledb_information.jobs
            WHERE hypertable_schema = $1 AND hypertable_name = $2 AND proc_name IN ('policy_compression', 'policy_recompression') AND scheduled
                AND \(condition)
            """, [schema, name], label: "moving the next start of the compression policy"
        ).count
    }
}
