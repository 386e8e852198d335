internal import PostgreSQL
internal import Store

/// The hypertable `state_changes` in TimescaleDB's catalogue.
struct ChunkCatalog: Sendable {
    let schema: String
    let table: String
    /// The role that owns the table, and must be ours for its chunks to be decompressed and its jobs to be altered.
    let owner: String
    let role: String
    let isOwner: Bool

    /// Nil where the table is no hypertable, or its chunks cannot be compressed: then there is nothing to do, ever.
    static func find(in session: PostgresSession) throws(PostgresError) -> ChunkCatalog? {
        let label = "looking for TimescaleDB's catalogue"
        let found = try session.query(
            """
            SELECT n.nspname AS schema, c.relname AS name, c.relowner::regrole::text AS owner, current_user AS role,
                   pg_has_role(c.relowner, 'USAGE') AS is_owner,
                   to_regclass('timescaledb_information.chunks') IS NOT NULL
                       AND to_regclass('_timescaledb_catalog.compression_chunk_size') IS NOT NULL AS has_catalogue
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('state_changes')
            """, [], label: label)
        guard let row = found.first, row["has_catalogue"] == "t" else { return nil }
        let catalog = ChunkCatalog(
            schema: try row.required("schema"), table: try row.required("name"), owner: try row.required("owner"),
            role: try row.required("role"), isOwner: row["is_owner"] == "t")
        let hypertables = try session.query(
            "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_schema = $1 AND hypertable_name = $2",
            [catalog.schema, catalog.table], label: label)
        return hypertables.isEmpty ? nil : catalog
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
            """, [schema, table], label: "reading the chunks of state_changes")
        var chunks: [Chunk] = []
        for row in rows {
            guard let from = Int64(try row.required("from_time")), let until = Int64(try row.required("until_time")), from < until else {
                continue
            }
            let isCompressed = row["is_compressed"] == "t"
            func number(_ column: String) -> Int { isCompressed ? row[column].flatMap { Int($0) } ?? 0 : 0 }
            chunks.append(
                Chunk(
                    name: try row.required("name"), times: from..<until, isCompressed: isCompressed, rows: number("rows"),
                    batches: number("batches"), bytes: number("bytes"), compressedBytes: number("compressed_bytes")))
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
    func startPolicy(in session: PostgresSession) throws(PostgresError) -> Int {
        try moveJobs("next_start => now()", where: "next_start > now()", in: session)
    }

    private func moveJobs(_ change: String, where condition: String, in session: PostgresSession) throws(PostgresError) -> Int {
        try session.query(
            """
            SELECT alter_job(job_id, \(change)) FROM timescaledb_information.jobs
            WHERE hypertable_schema = $1 AND hypertable_name = $2 AND proc_name IN ('policy_compression', 'policy_recompression') AND scheduled
                AND \(condition)
            """, [schema, table], label: "moving the next start of the compression policy"
        ).count
    }
}
