import Logging
import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing
import Timescale

/// What the keeper does at the database, on stand-ins of TimescaleDB's catalogue that record the calls.
@Suite(.timeLimit(.minutes(2))) struct ChunkKeeperTests {
    /// 2023-11-15, in the middle of the first chunk, in microseconds since 2000-01-01.
    private static let noon = (Int64(1_700_049_600) - 946_684_800) * 1_000_000
    private static let day = Int64(86_400_000_000)

    private struct Bench {
        let keeper: ChunkKeeper
        let database: ConnectionString
        let connection: PostgresConnection
        let log: LogRecorder

        func calls() async throws -> [String] { try await TimescaleStandIn.calls(on: connection) }
        func write(_ time: Int64, rows: Int = 10_000) async throws {
            try await keeper.prepare(time...time, rows: rows, ledgers: 100)
            await keeper.wrote(time...time, rows: rows, ledgers: 100, seconds: 0.1)
        }
    }

    private static func with(chunks: Int?, _ body: (Bench) async throws -> Void) async throws {
        try await PrivatePostgres.shared().withDatabase { database in
            let connection = try await PostgresConnection.connect(database, applicationName: "tests")
            try await connection.query("CREATE TABLE state_changes ()")
            if let chunks { try await TimescaleStandIn.make(on: connection, chunks: chunks, from: 1_700_049_600, rows: 100_000) }
            let log = LogRecorder()
            let bench = Bench(
                keeper: ChunkKeeper(database: database, logger: log.logger), database: database, connection: connection, log: log)
            await bench.keeper.begin(.auto)
            try await body(bench)
            await bench.keeper.finish(inGoodOrder: false)
            await connection.close()
        }
    }

    @Test func aPlainTableIsLeftAlone() async throws {
        try await Self.with(chunks: nil) { bench in
            try await bench.write(Self.noon)
            await bench.keeper.finish(inGoodOrder: true)
            #expect(bench.log.lines.isEmpty)
            // No connection is kept.
            try await bench.connection.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'wallet-backend writer, %' AND datname = current_database())"
            )
        }
    }

    @Test func eachChunkIsReadyBeforeItsRowsAndThePolicyIsPutOff() async throws {
        try await Self.with(chunks: 4) { bench in
            try await bench.write(Self.noon)
            #expect(try await bench.calls().prefix(2) == ["postpone 1000", "decompress chunk_1"])
            // The next one is decompressed while this one is written, at the latest when it is needed; the last is live ingestion's.
            for day: Int64 in [1, 2, 3] { try await bench.write(Self.noon + day * Self.day) }
            #expect(try await bench.calls() == ["postpone 1000", "decompress chunk_1", "decompress chunk_2", "decompress chunk_3"])
            await bench.keeper.finish(inGoodOrder: true)
            #expect(try await bench.calls().last == "start 1000")
            let lines = bench.log.lines.filter { $0.text == "chunk decompressed" }
            #expect(lines.map { $0.metadata["chunk"] } == ["public.chunk_1", "public.chunk_2", "public.chunk_3"])
        }
    }

    @Test func onlyAPolicyThatWouldComeSoonIsPutOff() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.query("UPDATE timescaledb_information.jobs SET next_start = now() + interval '1 hour'")
            try await bench.write(Self.noon)
            #expect(try await bench.calls() == ["decompress chunk_1"])
        }
    }

    /// As if it had been killed: nobody starts the policy, nobody has changed its settings; and it is put off for minutes only.
    @Test func nothingStaysChangedAfterADeath() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.write(Self.noon)
            await bench.keeper.finish(inGoodOrder: false)
            #expect(try await bench.calls() == ["postpone 1000", "decompress chunk_1"])
            let job = try await bench.connection.query(
                "SELECT next_start < now() + interval '6 minutes' AS soon, scheduled FROM timescaledb_information.jobs")
            #expect(job.first?["soon"] == "t" && job.first?["scheduled"] == "t")
        }
    }

    /// The run after a death finds the chunks open, and the policy put off: it lets it start as if it had done both itself.
    @Test func theRunAfterADeathStartsThePolicy() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.write(Self.noon)
            await bench.keeper.finish(inGoodOrder: false)
            let next = ChunkKeeper(database: bench.database, logger: bench.log.logger)
            await next.begin(.auto)
            try await next.prepare(Self.noon...Self.noon, rows: 10_000, ledgers: 100)
            await next.finish(inGoodOrder: true)
            #expect(try await bench.calls() == ["postpone 1000", "decompress chunk_1", "start 1000"])
        }
    }

    @Test func aPolicyThatHasNothingToDoIsLeftToItsTime() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.execute(
                """
                UPDATE timescaledb_information.chunks SET is_compressed = false;
                UPDATE timescaledb_information.jobs SET next_start = now() + interval '1 hour'
                """)
            try await bench.write(Self.noon)
            await bench.keeper.finish(inGoodOrder: true)
            #expect(try await bench.calls().isEmpty)
        }
    }

    @Test func aChunkThatVanishesIsNoError() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.query("DROP TABLE chunk_1")
            try await bench.write(Self.noon)
            #expect(bench.log.lines.contains { $0.text.contains("retention has dropped it") })
        }
    }

    @Test func whoMayNotIsToldWhatToDo() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.execute(
                """
                CREATE OR REPLACE FUNCTION decompress_chunk(chunk regclass, if_compressed boolean) RETURNS regclass LANGUAGE plpgsql AS $$
                    BEGIN RAISE insufficient_privilege USING MESSAGE = 'must be owner of hypertable "state_changes"'; END $$
                """)
            let failure = await #expect(throws: ChunkFailure.self) { try await bench.write(Self.noon) }
            #expect(failure?.kind == .refused)
            #expect(failure?.description.contains("must be owner of hypertable") == true)
            await bench.keeper.begin(.write)
            try await bench.write(Self.noon)
        }
    }

    @Test func aPolicyThatMayNotBePutOffIsSaidOnce() async throws {
        try await Self.with(chunks: 3) { bench in
            try await bench.connection.execute(
                """
                CREATE OR REPLACE FUNCTION alter_job(job integer, next_start timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
                    BEGIN RAISE insufficient_privilege USING MESSAGE = 'insufficient permissions to alter job 1000'; END $$
                """)
            try await bench.write(Self.noon)
            try await bench.write(Self.noon + Self.day)
            #expect(bench.log.lines.count { $0.level == .warning } == 1)
            #expect(try await bench.calls() == ["decompress chunk_1", "decompress chunk_2"])
        }
    }

    @Test func aChunkThatOthersUseIsAwaited() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.execute(
                """
                CREATE SEQUENCE tries;
                CREATE OR REPLACE FUNCTION decompress_chunk(chunk regclass, if_compressed boolean) RETURNS regclass LANGUAGE plpgsql AS $$ BEGIN
                    IF nextval('tries') < 3 THEN RAISE lock_not_available; END IF;
                    UPDATE timescaledb_information.chunks SET is_compressed = false WHERE chunk_name = chunk::text; RETURN chunk; END $$
                """)
            try await bench.write(Self.noon)
            #expect(bench.log.lines.count { $0.text == "waiting for a chunk that others use" } == 2)
            #expect(bench.log.lines.last?.text == "chunk decompressed")
        }
    }

    @Test func whoStopsWaitingRollsItBack() async throws {
        try await Self.with(chunks: 2) { bench in
            try await bench.connection.execute(
                """
                CREATE OR REPLACE FUNCTION decompress_chunk(chunk regclass, if_compressed boolean) RETURNS regclass LANGUAGE sql AS $$
                    UPDATE timescaledb_information.chunks SET is_compressed = false WHERE chunk_name = chunk::text;
                    SELECT pg_sleep(600); SELECT chunk $$
                """)
            let task = Task { () -> ChunkFailure.Kind? in
                do {
                    try await bench.write(Self.noon)
                    return nil
                } catch {
                    return (error as? ChunkFailure)?.kind
                }
            }
            try await bench.connection.waitUntil(
                "EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database())")
            task.cancel()
            #expect(await task.value == .cancelled)
            #expect(try await bench.connection.query("SELECT 1 FROM timescaledb_information.chunks WHERE is_compressed").count == 1)
        }
    }
}
