import Foundation
import PostgreSQL
import TestSupport
import Testing

/// Migrations into a hypertable whose chunks are compressed: the rows are those of a plain table, and nothing stays changed behind them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CompressedChunkTests {
    /// A stage on stand-ins: a chunk for the fixture's ledgers, and one that live ingestion writes.
    private static func withStandIn(simulatorArguments: [String] = [], _ body: (Stage) async throws -> Void) async throws {
        try await Stage.with(simulatorArguments: simulatorArguments) { stage in
            try await TimescaleStandIn.make(on: stage.connection, chunks: 2, from: try firstTime(stage), rows: 5_000)
            try await body(stage)
        }
    }

    /// When the fixture's first rows were made, in Unix seconds.
    private static func firstTime(_ stage: Stage) throws -> Int {
        try #require(stage.fixture.expected.first?.columns["ledger_created_at"].flatMap { Int($0) })
    }

    /// A stage on TimescaleDB: 5,000 accounts have a row of another kind in the chunk of the fixture's ledgers, which is compressed; a later chunk is live
    /// ingestion's. The policy is due in three minutes: soon enough to be put off, too late to come by itself.
    private static func withTimescale(simulatorArguments: [String] = [], _ body: (Stage) async throws -> Void) async throws {
        try await Stage.with(server: PrivatePostgres.timescale(), simulatorArguments: simulatorArguments) { stage in
            let time = try firstTime(stage)
            try await stage.connection.execute(
                """
                INSERT INTO state_changes(to_id, operation_id, state_change_id, state_change_category, state_change_reason, ledger_number,
                        account_id, amount, ledger_created_at)
                    SELECT n, n, n, 'BALANCE', 'CREDIT', 1, decode('30' || lpad(to_hex(n), 64, '0'), 'hex'), '1',
                           to_timestamp(\(time) + CASE WHEN n > 5000 THEN 172800 ELSE 0 END)
                    FROM generate_series(1, 5001) n;
                SELECT compress_chunk(c) FROM show_chunks('state_changes', older_than => to_timestamp(\(time) + 86400 + 43200)) c;
                SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE hypertable_name = 'state_changes';
                SELECT add_compression_policy(
                    'state_changes', compress_after => interval '1 day', initial_start => now() + interval '3 minutes')
                """)
            #expect(try await compressed(stage) == 1)
            try await body(stage)
        }
    }

    private static func compressed(_ stage: Stage) async throws -> Int {
        try await stage.connection.query("SELECT 1 FROM timescaledb_information.chunks WHERE is_compressed").count
    }

    /// What must not change: all of a job but its next start.
    private static func job(_ stage: Stage) async throws -> String? {
        try await stage.connection.query(
            """
            SELECT (to_jsonb(j) - 'next_start' - 'initial_start')::text AS job FROM timescaledb_information.jobs j
            WHERE hypertable_name = 'state_changes'
            """
        ).first?["job"]
    }

    /// Compares the rows, those of other kinds left out.
    private static func expectComplete(_ stage: Stage, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await stage.connection.execute(
            "SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0; DELETE FROM state_changes WHERE state_change_id < 1::bigint << 40"
        )
        try await stage.expectComplete(sourceLocation: sourceLocation)
    }

    // MARK: stand-ins

    @Test func aChunkIsDecompressedBeforeItsRows() async throws {
        try await Self.withStandIn { stage in
            let run = try await stage.migrate(["--batch-size", "5"])
            try await stage.expectComplete()
            #expect(
                try await TimescaleStandIn.calls(on: stage.connection) == ["postpone 1000", "decompress chunk_1", "start 1000"],
                "\(run.log)")
            let line = try #require(run.lines(containing: "rows will go into compressed chunks").first, "\(run.log)")
            #expect(line.contains("chunks=2 compressed=1") && line.contains("seconds_to_decompress=0.06"), "\(line)")
            #expect(!run.log.contains("level=warning") && !run.log.contains("level=error"), "\(run.log)")
        }
    }

    @Test func refuseWritesNothing() async throws {
        try await Self.withStandIn { stage in
            let before = try await stage.fingerprint()
            let run = try await stage.migrate(environment: ["COMPRESSED_CHUNKS": "refuse"], exits: 1)
            #expect(run.log.contains("1 of the 2 chunks") && run.log.contains("--compressed-chunks is refuse"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
            #expect(try await TimescaleStandIn.calls(on: stage.connection).isEmpty)
            try await stage.migrate(["--compressed-chunks", "write"])
            try await stage.expectComplete()
            #expect(try await TimescaleStandIn.calls(on: stage.connection) == ["postpone 1000", "start 1000"])
        }
    }

    /// Decompressing takes minutes where a chunk is large: a signal does not wait for it.
    @Test(arguments: [SIGINT, SIGTERM]) func aSignalDoesNotWaitForAChunk(signal: Int32) async throws {
        try await Self.withStandIn { stage in
            try await stage.connection.execute(
                """
                CREATE OR REPLACE FUNCTION decompress_chunk(chunk regclass, if_compressed boolean) RETURNS regclass LANGUAGE sql AS $$
                    SELECT pg_sleep(600); SELECT chunk $$
                """)
            let run = try stage.migration()
            try await stage.reach(
                "EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database())", run)
            let began = ContinuousClock.now
            run.send(signal)
            #expect(await run.exit() == 128 + signal, "\(run.log)")
            #expect(ContinuousClock.now - began < .seconds(9))
            #expect(try await stage.rows().isEmpty)
            #expect(try await Self.compressed(stage) == 1)
        }
    }

    /// A statement time-out, or an administrator, cuts a transaction off: the next ones are smaller.
    @Test func whatIsCutOffIsCommittedInSmallerTransactions() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(
                """
                CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON state_changes FOR EACH ROW EXECUTE FUNCTION slow()
                """)
            let run = try stage.migration(["--batch-size", "20"])
            for cut in 1...2 {
                try await stage.reach(
                    """
                    (SELECT coalesce(sum(pg_cancel_backend(pid)::int), 0) > 0 FROM pg_stat_activity
                     WHERE query LIKE 'COPY state_changes%' AND state = 'active' AND datname = current_database())
                    """, run)
                _ = try #require(await run.line { $0.contains("transaction cut off") && $0.contains("next_rows=") }, "\(run.log)")
                try await stage.reach("\(cut) > 0", run)
            }
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    // MARK: the real thing

    private static let hint: Comment = "no TimescaleDB"

    @Test(.enabled(if: PrivatePostgres.hasTimescale, hint)) func thePolicyCompressesAgainWhatTheRunHasDecompressed() async throws {
        try await Self.withTimescale { stage in
            let job = try await Self.job(stage)
            let run = try await stage.migrate(["--batch-size", "5"])
            #expect(run.log.contains("msg=\"chunk decompressed\""), "\(run.log)")
            #expect(try await Self.job(stage) == job)
            // The policy starts by itself; so that nobody has to wait for its scheduler:
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT 1 FROM timescaledb_information.job_stats WHERE hypertable_name = 'state_changes' AND job_status = 'Running')"
            )
            try await stage.connection.execute(
                "DO $$ DECLARE job integer; BEGIN SELECT job_id INTO job FROM timescaledb_information.jobs WHERE hypertable_name = 'state_changes'; "
                    + "CALL run_job(job); END $$")
            #expect(try await Self.compressed(stage) == 2, "the later one is more than a day old, too")
            try await Self.expectComplete(stage)
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, hint)) func chunksMayBeWrittenAsTheyAre() async throws {
        try await Self.withTimescale { stage in
            let run = try await stage.migrate(["--compressed-chunks", "write", "--batch-size", "5"])
            #expect(
                run.log.contains("writing into a compressed chunk as it is") && !run.log.contains("msg=\"chunk decompressed\""),
                "\(run.log)")
            #expect(try await Self.compressed(stage) == 1)
            try await Self.expectComplete(stage)
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, hint)) func whoDoesNotOwnTheTableIsToldWhatToRun() async throws {
        try await Self.withTimescale { stage in
            let role = "migrator_\(UUID().uuidString.prefix(8).lowercased())"
            try await stage.connection.execute(
                """
                CREATE ROLE \(role) LOGIN;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \(role)
                """)
            let environment = ["DATABASE_URL": stage.databaseText.replacing("user=postgres", with: "user=\(role)")]
            let before = try await stage.fingerprint()
            let refused = try await stage.migrate(environment: environment, exits: 1)
            let line = try #require(refused.lines(containing: "nothing was written").first, "\(refused.log)")
            #expect(
                line.contains("Only postgres") && line.contains("GRANT postgres TO \(role)") && line.contains("decompress_chunk"), "\(line)"
            )
            #expect(try await stage.fingerprint() == before)
            // What it says is done, as it stands in the log.
            let after = try #require(line.components(separatedBy: "run: ").last)
            let statements = try #require(after.components(separatedBy: ". Or let").first?.components(separatedBy: "; DO "))
            #expect(statements.count == 2, "\(line)")
            try await stage.connection.query(statements[0])
            try await stage.connection.execute("DO " + statements[1])
            #expect(try await Self.compressed(stage) == 0)
            try await stage.migrate(["--batch-size", "5"], environment: environment)
            try await Self.expectComplete(stage)
            try await stage.connection.execute("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }

    /// The coordinator dies at many moments; nothing of the policy stays changed, and its next start is minutes away at most.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, hint)) func killedAndRunAgain() async throws {
        try await Self.withTimescale { stage in
            let job = try await Self.job(stage)
            for line in [
                "compressed chunks ahead", "decompressing a chunk", "chunk decompressed", "progress", "round begins", "batches leased",
            ] {
                let run = try stage.migration(["--batch-size", "2"])
                _ = await run.line(containing: line)
                run.send(SIGKILL)
                _ = await run.exit()
                #expect(try await Self.job(stage) == job)
            }
            let soon = try await stage.connection.query(
                """
                SELECT next_start < now() + interval '6 minutes' AS soon FROM timescaledb_information.jobs WHERE hypertable_name = 'state_changes'
                """)
            #expect(soon.first?["soon"] == "t")
            try await stage.migrate(["--batch-size", "2"])
            try await Self.expectComplete(stage)
        }
    }

    /// The policy, or an operator, compresses the chunk that is being written.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, hint)) func whatIsCompressedMeanwhileIsNoError() async throws {
        try await Self.withTimescale(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(["--batch-size", "2"])
            try await stage.untilHeld(run)
            try await stage.connection.execute("SELECT compress_chunk(c, true) FROM show_chunks('state_changes') c")
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            try await Self.expectComplete(stage)
        }
    }
}
