package import PostgreSQL
package import Store

/// The chunk that a ledger's rows go into.
package struct WatchedChunk: Sendable, Hashable {
    /// What the catalog says of a close time.
    package enum Answer: Sendable, Hashable {
        /// There are no chunks, and there will be none.
        case plainTable
        /// The chunk; nil where the first row has yet to make it.
        case chunk(WatchedChunk?)
    }

    /// With its schema, quoted for SQL.
    package let name: String
    /// In Unix seconds.
    package let closeTimes: Range<Int64>
    package let isCompressed: Bool
    /// The statement that decompresses it.
    package let remedy: String

    package init(name: String, closeTimes: Range<Int64>, isCompressed: Bool, remedy: String) {
        self.name = name
        self.closeTimes = closeTimes
        self.isCompressed = isCompressed
        self.remedy = remedy
    }

    /// Asks the catalog.
    /// - Parameter closeTime: in Unix seconds.
    package static func find(of closeTime: UInt64, on connection: PostgresConnection) async throws(StoreError) -> Answer {
        do throws(PostgresError) {
            let label = "asking for the chunk of a ledger"
            // Without the extension its view is not there, and a statement that names it would fail.
            let hasChunks = try await connection.query(
                "SELECT 1 WHERE to_regclass('timescaledb_information.chunks') IS NOT NULL", label: label)
            guard !hasChunks.isEmpty else { return .plainTable }
            let rows = try await connection.query(
                """
                SELECT name, floor(extract(epoch FROM range_start))::bigint AS first, ceil(extract(epoch FROM range_end))::bigint AS beyond,
                       is_compressed, format('SELECT decompress_chunk(%L)', name) AS remedy
                FROM (SELECT *, format('%I.%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks) AS chunks
                WHERE to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = to_regclass('state_changes')
                  AND range_start <= to_timestamp($1::double precision) AND to_timestamp($1::double precision) < range_end
                """, [String(closeTime)], label: label)
            guard let row = rows.first else { return .chunk(nil) }
            let first: Int64 = try row.integer("first")
            return .chunk(
                WatchedChunk(
                    name: try row.required("name"), closeTimes: first..<max(first, try row.integer("beyond")),
                    isCompressed: row["is_compressed"] == "t", remedy: try row.required("remedy")))
        } catch {
            throw .database(error)
        }
    }
}
