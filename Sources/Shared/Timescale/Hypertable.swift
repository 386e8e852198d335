public import PostgreSQL
public import Store

/// What `state_changes` is to TimescaleDB.
public struct Hypertable: Sendable, Hashable {
    /// Whether its chunks can be compressed.
    public let hasColumnstore: Bool

    package init(hasColumnstore: Bool) { self.hasColumnstore = hasColumnstore }

    /// Reads it; nil where the table is a plain one.
    public static func find(on connection: PostgresConnection) async throws(StoreError) -> Hypertable? {
        guard try await TimescaleExtension.find(on: connection) != nil else { return nil }
        do throws(PostgresError) {
            let rows = try await connection.query(
                """
                SELECT compression_enabled AS has_columnstore FROM timescaledb_information.hypertables
                WHERE to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = to_regclass('state_changes')
                """, label: "asking whether state_changes is a hypertable")
            return rows.first.map { Hypertable(hasColumnstore: $0["has_columnstore"] == "t") }
        } catch {
            throw .database(error)
        }
    }
}
