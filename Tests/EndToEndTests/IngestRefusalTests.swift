import Foundation
import PostgreSQL
import TestSupport
import Testing

/// Live ingestion and a server that refuses for now, or does not respond at all.
@Suite(.serialized, .timeLimit(.minutes(5))) struct IngestRefusalTests {
    private static let start = ["--start-ledger", "1000"]
    private static let refusal = "refuses for now"

    private static func fromTheStart(server: PrivatePostgres? = nil, _ body: (Stage) async throws -> Void) async throws {
        try await Stage.with(server: server) { stage in
            try await stage.stand(at: nil)
            try await stage.createCursors(at: 999)
            try await body(stage)
        }
    }

    private static func line(_ text: String, of run: RunningProgram, from: Int = 0) async throws -> String {
        let line = try await within(.seconds(120), "a line with '\(text)'") { await run.line(containing: text, from: from) }
        return try #require(line, "\(run.log)")
    }

    private static func toTheEnd(_ stage: Stage, _ run: RunningProgram) async throws {
        try await within(.seconds(120), "live ingestion to come to the tip") { try await stage.untilAtTip(run) }
        try await stage.end(run)
        try await stage.expectIngested(1019)
    }

    /// An administrator cancels what runs too long for him, whatever it is.
    @Test func aQueryThatAnAdministratorCancelsIsDoneAgain() async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, .inTransaction)
            let run = try stage.ingestion(Self.start)
            var known = 0
            for _ in 0..<2 {
                try await gate.reached(by: run)
                let cancelled = try await stage.connection.query(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE \(Stage.ingestSession)")
                #expect(cancelled.count == 1)
                let line = try await Self.line(Self.refusal, of: run, from: known)
                #expect(line.contains("57014"), "\(line)")
                known = run.lines.count
            }
            try await gate.open()
            try await Self.toTheEnd(stage, run)
        }
    }

    /// Written as a trigger that fails like the server would, until the cause is gone.
    @Test(arguments: [
        ("53100", "could not extend file: No space left on device"), ("53200", "out of memory"), ("58030", "could not fsync file"),
        ("25006", "cannot execute UPDATE in a read-only transaction"),
    ])
    func whatTheServerRefusesForNowIsWaitedForAndSaid(state: String, message: String) async throws {
        try await Self.fromTheStart { stage in
            try await stage.connection.execute(
                """
                CREATE TABLE broken (n int); INSERT INTO broken VALUES (1);
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF EXISTS (SELECT FROM broken) THEN RAISE EXCEPTION USING ERRCODE = '\(state)', MESSAGE = '\(message)'; END IF;
                    RETURN NEW; END $$;
                CREATE TRIGGER broken BEFORE UPDATE ON ingest_store FOR EACH ROW WHEN (NEW.value = '1007') EXECUTE FUNCTION fail()
                """)
            let run = try stage.ingestion(Self.start)
            let line = try await Self.line(Self.refusal, of: run)
            #expect(line.contains(message), "\(line)")
            try await stage.connection.query("DELETE FROM broken")
            try await Self.toTheEnd(stage, run)
        }
    }

    @Test func aFailoverToAServerThatTakesNoWritesForAWhileCostsNoRow() async throws {
        let server = try await PrivatePostgres.start()
        try await Self.fromTheStart(server: server) { stage in
            let gate = try await Gate(stage, at: 1007, .inTransaction)
            let run = try stage.ingestion(Self.start)
            try await gate.reached(by: run)
            try await server.demote()
            let line = try await Self.line("of no use yet", of: run)
            #expect(line.contains("during recovery"), "\(line)")
            try await server.promote()
            // The gate's session went with the server: it is open.
            try await Self.toTheEnd(try await stage.reconnected(), run)
        }
    }

    @Test func theDatabasesTimeLimitIsNotItsOwn() async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, .inTransaction)
            // For sessions that come later.
            try await stage.connection.query(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 200', current_database()); END $$")
            let run = try stage.ingestion(Self.start)
            try await gate.reached(by: run)
            // Longer than the limit, by the server's clock.
            try await stage.connection.waitUntil(
                """
                EXISTS (SELECT FROM pg_stat_activity
                        WHERE \(Stage.ingestSession) AND state = 'active' AND clock_timestamp() - query_start > interval '500 ms')
                """)
            try await gate.open()
            try await Self.toTheEnd(stage, run)
            #expect(!run.log.contains("57014"), "\(run.log)")
        }
    }

    @Test(arguments: Gate.Place.allCases) func aSignalEndsItAlsoWhileTheServerDoesNotRespond(place: Gate.Place) async throws {
        let server = try await PrivatePostgres.start()
        try await Self.fromTheStart(server: server) { stage in
            let gate = try await Gate(stage, at: 1007, place)
            let first = try stage.ingestion(Self.start)
            try await gate.reached(by: first)
            try await server.pause()
            first.send(SIGTERM)
            let status = try await within(.seconds(10), "the end after SIGTERM with a server that is stopped") { await first.exit() }
            #expect(status == 0, "\(first.log)")
            try await server.resume()
            try await gate.open()
            try await stage.untilNoIngestion()
            // A COMMIT that was on its way takes effect.
            try await stage.expectIngested(place == .inTransaction ? 1006 : 1007)
            try await Self.toTheEnd(stage, try stage.ingestion())
        }
    }

    @Test func aSignalEndsItAlsoWhileItConnectsToAServerThatDoesNotRespond() async throws {
        let server = try await PrivatePostgres.start()
        try await Self.fromTheStart(server: server) { stage in
            try await server.pause()
            let run = try stage.ingestion(Self.start)
            // Nothing is logged before the first attempt has failed.
            _ = try await Self.line("database not reached", of: run)
            run.send(SIGTERM)
            let status = try await within(.seconds(10), "the end after SIGTERM while connecting") { await run.exit() }
            #expect(status == 0, "\(run.log)")
            try await server.resume()
        }
    }

    @Test func aContractIDThatIsNoneIsRefusedAtTheStart() async throws {
        try await Self.fromTheStart { stage in
            try await stage.connection.query(
                """
                INSERT INTO protocol_contracts (contract_id, wasm_hash)
                SELECT '\\xabcd', wasm_hash FROM protocol_wasms WHERE protocol_id = 'SEP50'
                """)
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(Self.start, exits: 1)
            #expect(run.log.contains("abcd") && run.log.contains("32 bytes"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }
}
