import Logging
import PostgreSQL
import Store
import TestSupport
import Testing

import Timescale

/// Against the real extension, and against stand-ins of its catalogue.
@Suite(.timeLimit(.minutes(5))) struct ChunkWatchTests {
    /// 2026-01-05 10:00 UTC.
    private static let morning: UInt64 = 1_767_607_200
    private static let day: UInt64 = 86_400

    /// Three chunks, of which the last is not compressed; one's name has to be quoted. Those of other tables do not count.
    private func withStandIn(_ body: (ConnectionString, PostgresConnection) async throws -> Void) async throws {
        try await withPlainDatabase { address, connection in
            _ = try await Schema.create(registering: [], on: connection)
            try await TimescaleStandIn.make(on: connection, chunks: 3, from: Int(Self.morning), rows: 1)
            try await connection.execute(
                """
                CREATE SCHEMA other; CREATE TABLE other.state_changes ();
                INSERT INTO timescaledb_information.hypertables VALUES ('other', 'state_changes', true), ('public', 'operations', true);
                UPDATE _timescaledb_catalog.chunk SET table_name = 'A chunk''s' WHERE id = 1;
                UPDATE timescaledb_information.chunks SET chunk_name = 'A chunk''s' WHERE chunk_name = 'chunk_1';
                INSERT INTO timescaledb_information.chunks
                    SELECT h.hypertable_schema, h.hypertable_name, 'inner', 'not ours', range_start, range_end, true
                    FROM timescaledb_information.chunks, timescaledb_information.hypertables h
                    WHERE (h.hypertable_schema, h.hypertable_name) <> ('public', 'state_changes')
                """)
            try await body(address, connection)
        }
    }

    @Test func aPlainDatabaseHasNoChunks() async throws {
        try await withPlainDatabase { address, _ in
            let watch = ChunkWatch(address, applicationName: "watch", logger: LogRecorder().logger)
            watch.note(closeTime: Self.morning)
            // Ends by itself.
            await watch.run()
        }
    }

    @Test func aCompressedChunkIsWarnedOfOnce() async throws {
        try await withStandIn { address, connection in
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.morning)
                try await said("decompress_chunk", log)
                watch.note(closeTime: Self.morning + 5)
                watch.note(closeTime: Self.morning + 2 * Self.day)
                watch.note(closeTime: Self.morning + Self.day)
                try await said("chunk_2", log)
            }
            let warnings = log.lines.filter { $0.level == .warning }
            #expect(warnings.count == 2, "\(warnings)")
            let first = try #require(warnings.first)
            #expect(first.text.contains("tenth"))
            #expect(first.metadata["chunk"] == "public.\"A chunk's\"")
            #expect(first.metadata["from"] == "2026-01-05T00:00:00Z" && first.metadata["to"] == "2026-01-06T00:00:00Z", "\(first)")
            #expect(first.metadata["remedy"] == "SELECT public.decompress_chunk('public.\"A chunk''s\"')")
        }
    }

    /// It is only a warning that is missing then: a line for whoever looks closely.
    @Test func whatFailsIsALineForDebugging() async throws {
        try await withPlainDatabase { address, connection in
            try await connection.execute(
                "CREATE SCHEMA timescaledb_information; CREATE VIEW timescaledb_information.hypertables AS SELECT 1 AS x")
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.morning)
                try await said("is not known", log)
            }
            #expect(log.lines.map(\.level) == [.debug])
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func theStatementThatIsRecommendedHelps() async throws {
        try await withTimescaleDatabase { address, connection in
            _ = try await Schema.create(TableLayout.best(on: connection), registering: [], on: connection)
            try await connection.insertRows(at: ["2026-01-05 10:00Z", "2026-01-06 10:00Z"])
            try await connection.query(
                "SELECT compress_chunk(c) FROM show_chunks('state_changes', older_than => '2026-01-06 00:00Z'::timestamptz) c")
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.morning)
                try await said("decompress_chunk", log)
            }
            let remedy = try #require(log.lines.first { $0.level == .warning }?.metadata["remedy"])
            try await connection.query(remedy)
            let survey = try await ChunkSurvey.read(on: connection)
            #expect(survey.chunks.map(\.isCompressed) == [false, false])
            #expect(survey.chunks.first?.period.from == "2026-01-05T00:00:00Z")
        }
    }

    private func said(_ text: String, _ log: LogRecorder) async throws {
        try await until(.seconds(60), "a line with \(text)") { log.lines.contains { $0.description.contains(text) } }
    }

    private func watching(_ address: ConnectionString, _ log: LogRecorder, _ body: (ChunkWatch) async throws -> Void) async throws {
        let watch = ChunkWatch(address, applicationName: "watch", logger: log.logger)
        async let _ = watch.run()
        try await body(watch)
    }
}
