import PostgreSQL
import Store
import TestSupport
import Testing

import Timescale

/// What `migrate up` makes of `state_changes`.
@Suite(.timeLimit(.minutes(5))) struct TimescaleLayoutTests {
    @Test func aPlainDatabaseGetsAPlainTable() async throws {
        try await withPlainDatabase { _, connection in
            let layout = try await TableLayout.best(on: connection)
            #expect(layout == .plain)
            _ = try await Schema.create(layout, registering: [], on: connection)
            #expect(try await Hypertable.find(on: connection) == nil)
        }
    }

    @Test(
        arguments: [
            (TimescaleExtension(version: .init(2, 23), license: .community, skipsChunks: true, schema: "x"), true, 2),
            (.init(version: .init(2, 23), license: .community, skipsChunks: false, schema: "x"), true, 0),
            (.init(version: .init(2, 23), license: .apache, skipsChunks: true, schema: "x"), true, 0),
            (.init(version: .init(2, 22), license: .community, skipsChunks: true, schema: "x"), false, 5),
            (.init(version: .init(2, 22), license: .community, skipsChunks: false, schema: "x"), false, 3),
            (.init(version: .init(2, 9), license: .apache, skipsChunks: false, schema: "x"), false, 1),
        ] as [(TimescaleExtension, Bool, Int)])
    func whatIsDeclaredAndWhatIsRunFollowsVersionAndLicense(timescale: TimescaleExtension, isDeclared: Bool, statements: Int) {
        let layout = TableLayout(timescale)
        #expect(layout.clause.isEmpty != isDeclared)
        #expect(layout.clause.contains("segmentby") == (isDeclared && timescale.license == .community))
        #expect(layout.statements.count == statements)
        #expect(
            layout.statements.allSatisfy {
                $0.hasPrefix("SELECT x.") || $0.hasPrefix("ALTER TABLE state_changes SET (timescaledb.compress,")
            })
    }

    /// Both forms on a build that knows both. Chunk skipping is on for the whole database, as where wallet-backend runs.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB"), arguments: [nil, TimescaleExtension.Version(2, 19)])
    func aHypertableAsWalletBackendHasIt(pretended: TimescaleExtension.Version?) async throws {
        try await withTimescaleDatabase { address, first in
            try await first.execute(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timescaledb.enable_chunk_skipping = on', current_database()); END $$")
            let connection = try await PostgresConnection.connect(address, applicationName: "tests")
            var layout = try await TableLayout.best(on: connection)
            if let pretended {
                let actual = try #require(try await TimescaleExtension.find(on: connection))
                layout = TableLayout(
                    TimescaleExtension(version: pretended, license: actual.license, skipsChunks: actual.skipsChunks, schema: actual.schema))
            }
            let created = try await Schema.create(layout, registering: [], on: connection)
            #expect(created.notes.isEmpty)
            #expect(try await Hypertable.find(on: connection)?.hasColumnstore == true)
            try await expectHypertable(connection)
            let settings = try await connection.query(
                "SELECT segmentby, orderby FROM timescaledb_information.hypertable_columnstore_settings WHERE hypertable = 'state_changes'::regclass"
            )
            #expect(settings.map { $0["segmentby"] } == ["account_id"])
            #expect(settings.first?["orderby"] == "ledger_created_at DESC,to_id DESC,operation_id DESC,state_change_id DESC")
            let jobs = try await connection.query(
                """
                SELECT schedule_interval = INTERVAL '1 day' AS daily, config->>'compress_after' AS after, scheduled
                FROM timescaledb_information.jobs WHERE hypertable_name = 'state_changes'
                """)
            #expect(jobs.map { [$0["daily"], $0["after"], $0["scheduled"]] } == [["t", "1 day", "t"]])
            let skipping = try await connection.query("SELECT column_name FROM _timescaledb_catalog.chunk_column_stats ORDER BY 1")
            #expect(skipping.map { $0[0] } == ["operation_id", "to_id"])

            // A day's chunk is compressed, with bloom filters of category and reason.
            try await connection.insertRows(at: ["2026-01-05 10:00Z", "2026-01-05 11:00Z"])
            try await connection.query("SELECT compress_chunk(c) FROM show_chunks('state_changes') c")
            let filters = try await connection.query(
                """
                SELECT attname FROM pg_attribute WHERE attname LIKE '%bloom%' AND attrelid =
                    (SELECT compress_relid FROM _timescaledb_catalog.compression_settings WHERE compress_relid IS NOT NULL)
                """)
            for column in ["state_change_category", "state_change_reason"] {
                #expect(filters.contains { $0[0]?.hasSuffix(column) == true }, "\(filters)")
            }
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB"), arguments: [nil, TimescaleExtension.Version(2, 19)])
    func underTheApacheLicenseAHypertableWithoutCompression(pretended: TimescaleExtension.Version?) async throws {
        let server = try await PrivatePostgres.start(
            timescale: true, settings: ["timescaledb.license = apache", "timescaledb.enable_chunk_skipping = on"])
        try await withDatabase(of: server) { _, connection in
            let found = try #require(try await TimescaleExtension.find(on: connection))
            #expect(found.license == .apache)
            let layout = TableLayout(
                TimescaleExtension(
                    version: pretended ?? found.version, license: found.license, skipsChunks: found.skipsChunks, schema: found.schema))
            let created = try await Schema.create(layout, registering: [], on: connection)
            #expect(created.notes.isEmpty)
            #expect(try await Hypertable.find(on: connection)?.hasColumnstore == false)
            try await expectHypertable(connection)
            try await connection.insertRows(at: ["2026-01-05 10:00Z"])
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func functionsOfAnotherSchemaAreFound() async throws {
        try await withTimescaleDatabase { address, first in
            try await first.execute("DROP EXTENSION timescaledb; CREATE SCHEMA \"Time Scale\"")
            let second = try await PostgresConnection.connect(address, applicationName: "tests")
            try await second.execute("CREATE EXTENSION timescaledb SCHEMA \"Time Scale\"")
            let connection = try await PostgresConnection.connect(address, applicationName: "tests")
            let found = try #require(try await TimescaleExtension.find(on: connection))
            #expect(found.schema == "\"Time Scale\"")
            for version in [found.version, .init(2, 19)] {
                let layout = TableLayout(
                    TimescaleExtension(version: version, license: .community, skipsChunks: false, schema: found.schema))
                _ = try await Schema.create(layout, registering: [], on: connection)
                #expect(try await Hypertable.find(on: connection)?.hasColumnstore == true)
                try await connection.query("DROP TABLE state_changes")
            }
        }
    }

    /// An existing table is left as it is, and called what it is.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func aPlainTableWhereTheExtensionCameLaterStaysOne() async throws {
        try await withTimescaleDatabase { _, connection in
            _ = try await Schema.create(.plain, registering: [], on: connection)
            _ = try await Schema.create(TableLayout.best(on: connection), registering: [], on: connection)
            #expect(try await Hypertable.find(on: connection) == nil)
        }
    }

    /// Chunks of a day, and no index beyond those of the contract.
    private func expectHypertable(_ connection: PostgresConnection) async throws {
        let interval = try await connection.query(
            """
            SELECT time_interval = INTERVAL '1 day' AS daily, column_name FROM timescaledb_information.dimensions
            WHERE hypertable_name = 'state_changes'
            """)
        #expect(interval.map { [$0[0], $0[1]] } == [["t", "ledger_created_at"]])
        let indexes = try await connection.query("SELECT indexname FROM pg_indexes WHERE tablename = 'state_changes' ORDER BY 1")
        #expect(indexes.map { $0[0] } == ["idx_state_changes_account_category", "idx_state_changes_operation_id", "state_changes_pkey"])
        #expect(try await Schema.verify(on: connection).isEmpty)
    }
}
