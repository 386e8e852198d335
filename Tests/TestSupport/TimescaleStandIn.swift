public import PostgreSQL

/// The catalogue views and functions of TimescaleDB that a migration uses, on a server without it. They record their calls.
public enum TimescaleStandIn {
    /// Makes them in a database: `state_changes` is a hypertable of chunks of a day.
    /// - Parameters:
    ///   - chunks: how many there are, from the day of `first` on; all but the last one, which live ingestion writes, are compressed.
    ///   - first: a time in the first chunk, in Unix seconds.
    ///   - rows: rows, and batches, of each chunk.
    public static func make(on connection: PostgresConnection, chunks: Int, from first: Int, rows: Int) async throws {
        try await connection.execute(
            """
            CREATE SCHEMA timescaledb_information;
            CREATE SCHEMA _timescaledb_catalog;
            CREATE TABLE calls (number serial, call text);
            CREATE TABLE timescaledb_information.hypertables AS
                SELECT current_schema()::text AS hypertable_schema, 'state_changes'::text AS hypertable_name, true AS compression_enabled;
            CREATE TABLE _timescaledb_catalog.chunk AS
                SELECT n AS id, current_schema()::text AS schema_name, 'chunk_' || n AS table_name FROM generate_series(1, \(chunks)) n;
            CREATE TABLE timescaledb_information.chunks AS
                SELECT schema_name AS hypertable_schema, 'state_changes'::text AS hypertable_name, schema_name AS chunk_schema,
                       table_name AS chunk_name, date_trunc('day', to_timestamp(\(first)), 'UTC') + (id - 1) * interval '1 day' AS range_start,
                       date_trunc('day', to_timestamp(\(first)), 'UTC') + id * interval '1 day' AS range_end, id < \(chunks) AS is_compressed
                FROM _timescaledb_catalog.chunk;
            CREATE TABLE _timescaledb_catalog.compression_chunk_size AS
                SELECT id AS chunk_id, \(rows) AS numrows_pre_compression, \(rows) AS numrows_post_compression,
                       1000 AS uncompressed_heap_size, 0 AS uncompressed_toast_size, 1000 AS uncompressed_index_size,
                       100 AS compressed_heap_size, 0 AS compressed_toast_size, 100 AS compressed_index_size
                FROM _timescaledb_catalog.chunk WHERE id < \(chunks);
            CREATE TABLE timescaledb_information.jobs AS
                SELECT 1000 AS job_id, current_schema()::text AS hypertable_schema, 'state_changes'::text AS hypertable_name,
                       'policy_compression'::text AS proc_name, true AS scheduled, now() AS next_start;
            CREATE FUNCTION decompress_chunk(chunk regclass, if_compressed boolean) RETURNS regclass LANGUAGE sql AS $$
                INSERT INTO calls(call) VALUES ('decompress ' || chunk);
                UPDATE timescaledb_information.chunks SET is_compressed = false WHERE chunk_name = chunk::text;
                SELECT chunk $$;
            CREATE FUNCTION compress_chunk(chunk regclass, if_not_compressed boolean) RETURNS regclass LANGUAGE sql AS $$
                INSERT INTO calls(call) VALUES ('compress ' || chunk);
                UPDATE timescaledb_information.chunks SET is_compressed = true WHERE chunk_name = chunk::text;
                SELECT chunk $$;
            CREATE FUNCTION alter_job(job integer, next_start timestamptz) RETURNS integer LANGUAGE sql AS $$
                INSERT INTO calls(call) VALUES (CASE WHEN $2 > now() THEN 'postpone ' ELSE 'start ' END || job);
                UPDATE timescaledb_information.jobs j SET next_start = $2 WHERE job_id = job;
                SELECT job $$;
            """)
        for number in 1...chunks { try await connection.query("CREATE TABLE chunk_\(number) ()") }
    }

    /// The calls so far, in order.
    public static func calls(on connection: PostgresConnection) async throws -> [String] {
        try await connection.query("SELECT call FROM calls ORDER BY number").compactMap { $0["call"] }
    }
}
