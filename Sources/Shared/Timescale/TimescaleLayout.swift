public import PostgreSQL
public import Store

extension TableLayout {
    /// How `state_changes` is to be kept in a database: as a hypertable where it has TimescaleDB, otherwise as a plain table.
    public static func best(on connection: PostgresConnection) async throws(StoreError) -> TableLayout {
        try await TimescaleExtension.find(on: connection).map { TableLayout($0) } ?? .plain
    }

    /// One-day chunks, compressed by account a day after they end; without compression under the Apache license, which does not allow it.
    package init(_ timescale: TimescaleExtension) {
        let isCompressed = timescale.license == .community
        // Since 2.23 CREATE TABLE does it all, the policy included.
        let isDeclared = timescale.version >= .init(2, 23)
        let schema = timescale.schema
        var options: [String] = []
        var statements: [String] = []
        if isDeclared {
            // The primary key serves what the default index on the time would.
            options = [
                "hypertable", "partition_column = 'ledger_created_at'", "chunk_interval = '1 day'", "create_default_indexes = false",
            ]
            if isCompressed {
                options += [
                    "segmentby = '\(Self.segments)'", "orderby = '\(Self.order)'",
                    "sparse_index = 'bloom(state_change_category), bloom(state_change_reason)'",
                ]
            }
        } else {
            statements.append(
                """
                SELECT \(schema).create_hypertable('state_changes', 'ledger_created_at', chunk_time_interval => INTERVAL '1 day', \
                create_default_indexes => FALSE)
                """)
            if isCompressed {
                // Bloom filters are not to be had by name yet; from 2.20 on, compression makes them of the columns of indexes.
                statements.append(
                    """
                    ALTER TABLE state_changes SET (timescaledb.compress, timescaledb.compress_segmentby = '\(Self.segments)', \
                    timescaledb.compress_orderby = '\(Self.order)')
                    """)
                statements.append(
                    """
                    SELECT \(schema).add_compression_policy('state_changes', compress_after => INTERVAL '1 day', \
                    schedule_interval => INTERVAL '1 day')
                    """)
            }
        }
        if isCompressed, timescale.skipsChunks {
            statements += ["to_id", "operation_id"].map { "SELECT \(schema).enable_chunk_skipping('state_changes', '\($0)')" }
        }
        self.init(
            clause: options.isEmpty ? "" : " WITH (\(options.map { "tsdb." + $0 }.joined(separator: ", ")))", statements: statements)
    }

    private static let segments = "account_id"
    private static let order = "ledger_created_at DESC, to_id DESC, operation_id DESC, state_change_id DESC"
}
