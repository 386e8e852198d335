import Logging
import PostgreSQL
import Store
import TestSupport
import Testing

import Timescale

/// Against the real extension, and against a table that looks like its catalog view.
@Suite(.timeLimit(.minutes(5))) struct ChunkWatchTests {
    /// 2026-01-05 10:00 UTC.
    private static let noon: UInt64 = 1_767_607_200
    private static let day: UInt64 = 86_400

    private static let standIn = """
        CREATE SCHEMA timescaledb_information;
        CREATE TABLE timescaledb_information.chunks (hypertable_schema name, hypertable_name name, chunk_schema name, chunk_name name,
            range_start timestamptz, range_end timestamptz, is_compressed boolean);
        INSERT INTO timescaledb_information.chunks VALUES
            ('public', 'state_changes', 'inner', 'A chunk''s', '2026-01-05 00:00Z', '2026-01-06 00:00Z', true),
            ('public', 'state_changes', 'inner', 'next', '2026-01-06 00:00Z', '2026-01-07 00:00Z', false),
            ('public', 'operations', 'inner', 'not ours', '2026-01-07 00:00Z', '2026-01-08 00:00Z', true),
            ('other', 'state_changes', 'inner', 'not ours', '2026-01-07 00:00Z', '2026-01-08 00:00Z', true)
        """

    private func withStandIn(_ body: (ConnectionString, PostgresConnection) async throws -> Void) async throws {
        try await withPlainDatabase { address, connection in
            _ = try await Schema.create(registering: [], on: connection)
            try await connection.execute("\(Self.standIn); CREATE SCHEMA other; CREATE TABLE other.state_changes (x integer)")
            try await body(address, connection)
        }
    }

    @Test func theChunkOfALedgerIsFound() async throws {
        try await withStandIn { _, connection in
            let midnight = Self.noon - 10 * 3600
            let chunk = WatchedChunk(
                name: "\"inner\".\"A chunk's\"", closeTimes: Int64(midnight)..<Int64(midnight + Self.day), isCompressed: true,
                remedy: "SELECT decompress_chunk('\"inner\".\"A chunk''s\"')")
            #expect(try await WatchedChunk.find(of: Self.noon, on: connection) == .chunk(chunk))
            #expect(try await WatchedChunk.find(of: midnight, on: connection) == .chunk(chunk))
            let next = try await WatchedChunk.find(of: midnight + Self.day, on: connection)
            guard case .chunk(let next?) = next else { throw NoChunk() }
            #expect(!next.isCompressed && next.name == "\"inner\".next")
            #expect(try await WatchedChunk.find(of: midnight + 2 * Self.day, on: connection) == .chunk(nil))
        }
    }

    private struct NoChunk: Error {}

    @Test func aPlainDatabaseHasNoChunks() async throws {
        try await withPlainDatabase { address, connection in
            let answer = try await WatchedChunk.find(of: Self.noon, on: connection)
            #expect(answer == .plainTable)
            let watch = ChunkWatch(address, applicationName: "watch", logger: LogRecorder().logger)
            watch.note(closeTime: Self.noon)
            // Ends by itself.
            await watch.run()
        }
    }

    @Test func aCompressedChunkIsWarnedOfOnce() async throws {
        try await withStandIn { address, connection in
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.noon)
                try await said("decompress_chunk", log)
                watch.note(closeTime: Self.noon + 5)
                try await connection.execute("UPDATE timescaledb_information.chunks SET is_compressed = true")
                watch.note(closeTime: Self.noon + Self.day)
                try await said("next", log)
            }
            let warnings = log.lines.filter { $0.level == .warning }
            #expect(warnings.count == 2, "\(warnings)")
            let first = try #require(warnings.first)
            #expect(first.text.contains("tenth"))
            #expect(first.metadata["chunk"] == "\"inner\".\"A chunk's\"")
            #expect(first.metadata["from"] == "2026-01-05T00:00:00Z" && first.metadata["to"] == "2026-01-06T00:00:00Z", "\(first)")
            #expect(first.metadata["remedy"] == "SELECT decompress_chunk('\"inner\".\"A chunk''s\"')")
        }
    }

    /// It is only a warning that is missing then: a line for whoever looks closely.
    @Test func whatFailsIsALineForDebugging() async throws {
        try await withPlainDatabase { address, connection in
            try await connection.execute(
                "CREATE SCHEMA timescaledb_information; CREATE VIEW timescaledb_information.chunks AS SELECT 1 AS x")
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.noon)
                try await said("is not known", log)
            }
            #expect(log.lines.map(\.level) == [.debug])
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func theStatementThatIsRecommendedHelps() async throws {
        try await withTimescaleDatabase { address, connection in
            _ = try await Schema.create(TableLayout.best(on: connection), registering: [], on: connection)
            #expect(try await WatchedChunk.find(of: Self.noon, on: connection) == .chunk(nil))
            try await connection.insertRows(at: ["2026-01-05 10:00Z", "2026-01-06 10:00Z"])
            try await connection.query(
                "SELECT compress_chunk(c) FROM show_chunks('state_changes', older_than => '2026-01-06 00:00Z'::timestamptz) c")
            let log = LogRecorder()
            try await watching(address, log) { watch in
                watch.note(closeTime: Self.noon)
                try await said("decompress_chunk", log)
            }
            let remedy = try #require(log.lines.first { $0.level == .warning }?.metadata["remedy"])
            try await connection.query(remedy)
            guard case .chunk(let chunk?) = try await WatchedChunk.find(of: Self.noon, on: connection) else { throw NoChunk() }
            #expect(!chunk.isCompressed)
            #expect(chunk.closeTimes == Int64(Self.noon - 10 * 3600)..<Int64(Self.noon + 14 * 3600))
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
