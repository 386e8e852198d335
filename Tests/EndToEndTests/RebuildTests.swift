import Foundation
import PostgreSQL
import TestSupport
import Testing

/// `--rebuild`: a history done again from the start.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RebuildTests {
    private static let rebuild = ["--rebuild", "--yes"]

    /// A row of SEP41 altered, one of it missing, one of SEP50 that must not be there; and one of another kind, which is none of ours.
    private static func damage(_ stage: Stage) async throws {
        try await stage.connection.execute(
            """
            UPDATE state_changes SET amount = '666' WHERE (to_id, operation_id, state_change_id) IN
                (SELECT to_id, operation_id, state_change_id FROM state_changes WHERE state_change_id < 2::bigint << 40 LIMIT 1);
            DELETE FROM state_changes WHERE (to_id, operation_id, state_change_id) IN
                (SELECT to_id, operation_id, state_change_id FROM state_changes WHERE state_change_id < 2::bigint << 40 AND amount <> '666' LIMIT 1);
            INSERT INTO state_changes(to_id, operation_id, state_change_id, state_change_category, state_change_reason, ledger_number,
                    account_id, amount, ledger_created_at)
                SELECT to_id, operation_id, kind, 'BALANCE', 'CREDIT', ledger_number, account_id, '1', ledger_created_at
                FROM state_changes, (VALUES ((3::bigint << 40) + 99999), (5)) AS kinds(kind) WHERE ledger_number = 1005 ORDER BY to_id LIMIT 2
            """)
    }

    private static func withHistory(_ body: (Stage) async throws -> Void) async throws {
        try await Stage.with { stage in
            try await stage.migrate()
            try await stage.expectComplete()
            try await body(stage)
        }
    }

    /// Expects the rows of the fixture, and that the one of another kind is still there.
    private static func expectRebuilt(_ stage: Stage, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let others = try await stage.connection.query("DELETE FROM state_changes WHERE state_change_id = 5 RETURNING 1")
        #expect(others.count == 1, sourceLocation: sourceLocation)
        try await stage.expectComplete(sourceLocation: sourceLocation)
    }

    @Test func aCompleteHistoryIsDoneAgainFromTheStart() async throws {
        try await Self.withHistory { stage in
            try await Self.damage(stage)
            let before = try await stage.fingerprint()
            try await stage.migrate()
            #expect(try await stage.fingerprint() == before, "without the flag it is complete")
            let run = try await stage.migrate(Self.rebuild)
            #expect(run.log.contains("history set back to the start") && run.log.contains("cursor=999"), "\(run.log)")
            try await Self.expectRebuilt(stage)
        }
    }

    @Test func otherProtocolsAreLeftAlone() async throws {
        try await Self.withHistory { stage in
            try await stage.connection.query("UPDATE state_changes SET amount = '666'")
            try await stage.migrate(Self.rebuild, protocols: ["SEP50"])
            let wrong = try await stage.connection.query(
                "SELECT DISTINCT state_change_id < 2::bigint << 40 AS of_sep41, amount IS NOT DISTINCT FROM '666' AS is_wrong FROM state_changes ORDER BY 1"
            )
            #expect(wrong.map { $0["of_sep41"] } == ["f", "t"] && wrong.map { $0["is_wrong"] } == ["f", "t"], "\(wrong)")
            try await stage.migrate(Self.rebuild)
            try await stage.expectComplete()
        }
    }

    @Test func withoutATerminalItHasToBeConfirmed() async throws {
        try await Self.withHistory { stage in
            let before = try await stage.fingerprint()
            let run = try await stage.migrate(["--rebuild"], exits: 64)
            #expect(run.log.contains("--yes"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    /// What is in progress was begun from the start, or is somebody's half of a history: it goes on.
    @Test func aHistoryInProgressGoesOn() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let first = try stage.migration(["--batch-size", "1", "--fetchers", "1"])
            try await stage.untilHeld(first)
            first.send(SIGKILL)
            _ = await first.exit()
            try await stage.release()
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'wallet-backend migration%' AND datname = current_database())"
            )
            let run = try await stage.migrate(Self.rebuild)
            #expect(run.log.contains("it goes on where it stands") && run.log.contains("resuming after ledger 1009"), "\(run.log)")
            #expect(!run.log.contains("deleted,"), "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// Where the program stands when it is killed.
    enum Moment: String, CaseIterable, Sendable {
        case settingBack = "UPDATE ON protocols FOR EACH ROW WHEN (NEW.history_migration_status = 'not_started')"
        case deleting = "DELETE ON state_changes FOR EACH ROW"
        case beginning = "UPDATE ON protocols FOR EACH ROW WHEN (NEW.history_migration_status = 'in_progress')"
        case committing = "INSERT ON state_changes FOR EACH ROW"
    }

    /// Makes it stand there until the transaction of the connection ends.
    private static func gate(_ moment: Moment, _ stage: Stage) async throws -> PostgresConnection {
        try await stage.connection.execute(
            """
            CREATE TABLE gate ();
            CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate IN SHARE MODE; RETURN COALESCE(NEW, OLD); END';
            CREATE TRIGGER at_gate BEFORE \(moment.rawValue) EXECUTE FUNCTION wait_at_gate()
            """)
        return try await stage.hand("LOCK TABLE gate")
    }

    private static let atGate = "EXISTS (SELECT FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted)"

    @Test(arguments: Moment.allCases) func killedAtAnyPointAndRunAgainItComesToTheSameEnd(moment: Moment) async throws {
        try await Self.withHistory { stage in
            try await Self.damage(stage)
            let hand = try await Self.gate(moment, stage)
            let first = try stage.migration(Self.rebuild)
            try await stage.reach(Self.atGate, first)
            first.send(SIGKILL)
            _ = await first.exit()
            // The session of the killed one goes on with its transaction.
            await hand.close()
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'wallet-backend migration%' AND datname = current_database())"
            )
            try await stage.migrate(Self.rebuild)
            try await Self.expectRebuilt(stage)
        }
    }

    /// A signal does not wait for the rows to be deleted, and the next run does it all.
    @Test(arguments: [SIGINT, SIGTERM]) func aSignalEndsItAndSaysWhatToDo(signal: Int32) async throws {
        try await Self.withHistory { stage in
            try await Self.damage(stage)
            let hand = try await Self.gate(.deleting, stage)
            let first = try stage.migration(Self.rebuild)
            try await stage.reach(Self.atGate, first)
            first.send(signal)
            #expect(await first.exit() == 128 + signal, "\(first.log)")
            #expect(first.log.contains("run it again with --rebuild"), "\(first.log)")
            await hand.close()
            try await stage.migrate(Self.rebuild)
            try await Self.expectRebuilt(stage)
        }
    }

    /// Whoever forgets the flag the second time is told.
    @Test func aRebuildThatIsHalfDoneIsNotTakenForAFreshStart() async throws {
        try await Self.withHistory { stage in
            try await stage.connection.execute(
                """
                UPDATE protocols SET history_migration_status = 'not_started';
                UPDATE ingest_store SET value = '999' WHERE key LIKE 'protocol%';
                DELETE FROM state_changes WHERE ledger_number < 1008
                """)
            let run = try await stage.migrate(exits: 1)
            #expect(run.log.contains("--rebuild"), "\(run.log)")
            try await stage.migrate(Self.rebuild)
            try await stage.expectComplete()
        }
    }

    @Test func whatTheDatabaseCutsOffIsDeletedInHalves() async throws {
        try await Self.withHistory { stage in
            let hand = try await Self.gate(.deleting, stage)
            let run = try stage.migration(Self.rebuild)
            try await stage.reach(Self.atGate, run)
            try await stage.connection.query(
                "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted")
            _ = try #require(await run.line(containing: "deleting rows was cut off"), "\(run.log)")
            await hand.close()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// Live ingestion is at work before, meanwhile and afterwards.
    @Test func besideLiveIngestionItEndsWithAHandoff() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            try await stage.stand(at: 1004)
            try await stage.migrate()
            let live = try stage.ingestion()
            try await stage.reach("(SELECT value = '1009' FROM ingest_store WHERE key = 'latest_ingest_ledger')", live)
            try await stage.connection.query("UPDATE state_changes SET amount = '666'")
            let run = try stage.migration(Self.rebuild)
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.log.contains("HANDOFF"), "\(run.log)")
            try await stage.untilAtTip(live)
            try await stage.end(live)
            try await stage.expectComplete()
        }
    }

    /// More rows than a transaction may decompress by default.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func compressedChunksToo() async throws {
        try await Stage.with(server: PrivatePostgres.timescale()) { stage in
            try await stage.migrate()
            try await stage.connection.execute(
                """
                SELECT compress_chunk(c) FROM show_chunks('state_changes') c;
                DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timescaledb.max_tuples_decompressed_per_dml_transaction = 1', current_database());
                    END $$
                """)
            let run = try await stage.migrate(Self.rebuild)
            #expect(run.log.contains("rows of the history deleted"), "\(run.log)")
            try await stage.expectComplete()
        }
    }
}
