import AsyncHTTPClient
import Foundation
import NIOCore
import Operations
import PostgreSQL
import TestSupport
import Testing

/// Live ingestion follows the network, alone: every ledger once, in order, with its rows, whatever happens to it, the database or the RPC.
@Suite(.serialized, .timeLimit(.minutes(5))) struct IngestTests {
    /// Ledgers that close while the test runs, so that it is about the tip and not about catching up.
    private static let growing = ["--count", "3", "--close-every", "0.1"]

    /// A stage on which live ingestion never ran, with both history cursors right before the fixture's first ledger.
    private static func fromTheStart(
        server: PrivatePostgres? = nil, simulatorArguments: [String] = [], _ body: (Stage) async throws -> Void
    ) async throws {
        try await Stage.with(server: server, simulatorArguments: simulatorArguments) { stage in
            try await stage.stand(at: nil)
            try await stage.createCursors(at: 999)
            try await body(stage)
        }
    }

    private static let start = ["--start-ledger", "1000"]

    // MARK: where it begins

    @Test func anEmptyDatabaseIsFollowedFromTheStartLedgerToTheTip() async throws {
        try await Stage.with(simulatorArguments: Self.growing) { stage in
            try await stage.stand(at: nil)
            let run = try stage.ingestion(environment: ["START_LEDGER": "1002"])
            try await stage.untilAtTip(run)
            try await stage.end(run)
            let cursors = try await stage.connection.query("SELECT key || '=' || value AS cursor FROM ingest_store ORDER BY key")
            #expect(cursors.map { $0["cursor"] } == ["latest_ingest_ledger=1019", "oldest_ingest_ledger=1002"])
            // No history cursor: a migration has not begun, and its ledgers are not live ingestion's.
            try await stage.expectRows([])
            #expect(!run.log.contains("history cursor"), "\(run.log)")
        }
    }

    @Test func withHistoryCursorsRightBeforeAllRowsAreThere() async throws {
        try await Self.fromTheStart { stage in
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            try await stage.expectIngested(1019)
            #expect(run.lines(containing: "history cursor taken over").count == 2, "\(run.log)")
            #expect(run.log.contains("beginning with an empty database"), "\(run.log)")
            try await stage.end(run, signal: SIGINT)
            #expect(try await stage.value("oldest_ingest_ledger") == "1000")
            #expect(try await stage.status("SEP41") == "not_started", "the migration's status is the migration's")
        }
    }

    @Test func withoutAStartLedgerAnEmptyDatabaseIsRefused() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: nil)
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(exits: 1)
            #expect(run.log.contains("--start-ledger") && run.log.contains("latest_ingest_ledger"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test(arguments: [
        ("UPDATE ingest_store SET value = 'soon' WHERE key = 'latest_ingest_ledger'", "soon"),
        ("DELETE FROM ingest_store WHERE key = 'latest_ingest_ledger'", "1000"),
    ])
    func cursorsThatContradictEachOtherAreRefused(script: String, says: String) async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(script)
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(Self.start, exits: 1)
            #expect(run.log.contains("correct them by hand") && run.log.contains(says), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func aStartLedgerHasNoEffectOnADatabaseThatIsNotEmpty() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: 1009)
            try await stage.createCursors(at: 1009)
            let run = try stage.ingestion(["--start-ledger", "1015"])
            try await stage.untilAtTip(run)
            #expect(run.log.contains("--start-ledger has no effect"), "\(run.log)")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger > 1009 })
            #expect(try await stage.value("oldest_ingest_ledger") == "1000")
            try await stage.end(run)
        }
    }

    @Test func theCursorsMayHaveOtherNames() async throws {
        try await Stage.with { stage in
            let run = try stage.ingestion(
                Self.start, environment: ["OLDEST_LEDGER_CURSOR_NAME": "from", "LATEST_LEDGER_CURSOR_NAME": "to"])
            try await stage.untilAtTip(run)
            #expect(try await stage.value("from") == "1000")
            #expect(try await stage.value("to") == "1019")
            try await stage.end(run)
        }
    }

    @Test func anotherNetworksRPCIsRefusedBeforeAnythingIsWritten() async throws {
        try await Self.fromTheStart { stage in
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(Self.start, environment: ["NETWORK_PASSPHRASE": "Test SDF Network ; September 2015"], exits: 1)
            #expect(run.log.contains("Test SDF") && run.log.contains("Standalone"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func tablesThatDoNotFitAreRefused() async throws {
        try await Self.fromTheStart { stage in
            try await stage.connection.execute("ALTER TABLE state_changes DROP COLUMN to_muxed_id")
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(Self.start, exits: 1)
            #expect(run.log.contains("to_muxed_id"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    // MARK: cursors that are not its own

    @Test func aCursorThatLagsIsLeftToAMigrationAndTheOtherGoesOn() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: 1009)
            try await stage.createCursors(at: 1009)
            try await stage.connection.execute("UPDATE ingest_store SET value = '1003' WHERE key = 'protocol_SEP41_history_cursor'")
            let run = try stage.ingestion()
            try await stage.untilAtTip(run)
            let lagging = run.lines(containing: "history cursor lags")
            #expect(lagging.count == 1 && lagging.first?.contains("SEP41") == true, "\(run.log)")
            try await stage.end(run)
            #expect(try await stage.cursor("SEP41") == "1003")
            #expect(try await stage.cursor("SEP50") == "1019")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger > 1009 && $0.stateChangeID > 3 << 40 })
        }
    }

    @Test func theCurrentStateCursorStaysAsItIs() async throws {
        try await Self.fromTheStart { stage in
            try await stage.connection.execute("INSERT INTO ingest_store VALUES ('protocol_SEP41_current_state_cursor', '999')")
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            try await stage.end(run)
            #expect(try await stage.value("protocol_SEP41_current_state_cursor") == "999")
            #expect(try await stage.value("protocol_SEP50_current_state_cursor") == nil)
            try await stage.expectIngested(1019)
        }
    }

    @Test func aProtocolThatThisBuildDoesNotKnowIsLeftWhereItIsAndSaid() async throws {
        try await Self.fromTheStart { stage in
            try await stage.connection.execute(
                "INSERT INTO protocols(id) VALUES ('BLEND'); INSERT INTO ingest_store VALUES ('protocol_BLEND_history_cursor', '999')")
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            try await stage.end(run)
            #expect(run.lines.filter { $0.contains("no processor") && $0.contains("BLEND") }.count == 1, "\(run.log)")
            #expect(try await stage.cursor("BLEND") == "999")
            try await stage.expectIngested(1019)
        }
    }

    @Test func aCursorThatAHandMovesAwayIsSaidAndGetsNoMoreRows() async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1010, .inTransaction)
            let run = try stage.ingestion(Self.start)
            try await gate.reached(by: run)
            try await stage.connection.execute("UPDATE ingest_store SET value = '1003' WHERE key = 'protocol_SEP41_history_cursor'")
            try await gate.open()
            try await stage.untilAtTip(run)
            let line = try #require(run.lines.first { $0.contains("moved away by something else") }, "\(run.log)")
            #expect(line.contains("SEP41") && line.contains("1003") && line.contains("1010"), "\(line)")
            try await stage.end(run)
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger < 1010 || $0.stateChangeID > 3 << 40 })
        }
    }

    // MARK: stopped, killed, cut off

    @Test(arguments: Gate.Place.allCases)
    func aSignalInTheMiddleOfALedgerEndsItWellAndTheNextRunGoesOn(place: Gate.Place) async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, place)
            let first = try stage.ingestion(Self.start)
            try await gate.reached(by: first)
            first.send(SIGTERM)
            // A statement is cancelled, a COMMIT never.
            if place == .inTransaction { #expect(await first.exit() == 0, "\(first.log)") }
            try await gate.open()
            #expect(await first.exit() == 0, "\(first.log)")
            try await stage.untilNoIngestion()
            let latest = try #require(try await stage.latest())
            #expect(place == .inTransaction ? latest == 1006 : latest >= 1007)
            try await stage.expectIngested(latest)
            let second = try stage.ingestion()
            try await stage.untilAtTip(second)
            #expect(second.log.contains("resuming after the latest ingested ledger"), "\(second.log)")
            try await stage.end(second)
            try await stage.expectIngested(1019)
        }
    }

    @Test(arguments: Gate.Place.allCases)
    func killedInTheMiddleOfALedgerItResumes(place: Gate.Place) async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, place)
            let first = try stage.ingestion(Self.start)
            try await gate.reached(by: first)
            first.send(SIGKILL)
            #expect(await first.exit() == 128 + SIGKILL)
            // The server does not know yet that nobody listens: it lets go of the lock when it notices, and may have committed.
            let tooEarly = try await stage.ingest(exits: 1)
            #expect(tooEarly.log.contains("pid \(first.pid) on"), "\(tooEarly.log)")
            try await gate.open()
            try await stage.untilNoIngestion()
            try await stage.expectIngested(place == .inTransaction ? 1006 : 1007)
            let second = try stage.ingestion()
            try await stage.untilAtTip(second)
            try await stage.end(second)
            try await stage.expectIngested(1019)
        }
    }

    @Test func killedAgainAndAgainWhileLedgersCloseItLosesNothing() async throws {
        try await Self.fromTheStart(simulatorArguments: Self.growing + ["--latency", "20"]) { stage in
            for _ in 0..<4 {
                let run = try stage.ingestion(Self.start)
                _ = try #require(await run.line(containing: "at the tip"), "\(run.log)")
                run.send(SIGKILL)
                _ = await run.exit()
                try await stage.untilNoIngestion()
                try await stage.expectIngested(try #require(try await stage.latest()))
                // What comes after the last ledger could not be "at the tip" again.
                if try await stage.latest() == 1019 { break }
            }
            if try await stage.latest() != 1019 {
                let last = try stage.ingestion()
                try await stage.untilAtTip(last)
                try await stage.end(last)
            }
            try await stage.expectIngested(1019)
        }
    }

    @Test(arguments: Gate.Place.allCases)
    func aSessionEndedInTheMiddleOfALedgerIsReplaced(place: Gate.Place) async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, place)
            let run = try stage.ingestion(Self.start)
            for _ in 0..<2 {
                try await gate.reached(by: run)
                try await stage.terminateIngestion()
                try await stage.reach("NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted)", run)
            }
            try await gate.reached(by: run)
            try await stage.expectIngested(1006)
            try await gate.open()
            try await stage.untilAtTip(run)
            #expect(run.lines(containing: "database connection lost").count == 2, "\(run.log)")
            // The lock came back with the session.
            let second = try await stage.ingest(exits: 1)
            #expect(second.log.contains("pid \(run.pid) on"), "\(second.log)")
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    @Test func aSessionEndedAtTheTipIsReplaced() async throws {
        try await Self.fromTheStart(simulatorArguments: ["--count", "3", "--close-every", "0.2"]) { stage in
            let run = try stage.ingestion(Self.start)
            _ = try #require(await run.line(containing: "at the tip"), "\(run.log)")
            try await stage.terminateIngestion()
            try await stage.untilAtTip(run)
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    /// The server has committed, but the session ends before it can say so: here because it waits for a standby that does not exist.
    @Test func aCommitWhoseAnswerWasLostIsNotDoneTwice() async throws {
        let server = try await PrivatePostgres.start()
        try await Self.fromTheStart(server: server) { stage in
            let waiting = "EXISTS (SELECT FROM pg_stat_activity WHERE \(Stage.ingestSession) AND wait_event = 'SyncRep')"
            // Nobody else waits: the test must be able to clean up whatever happens.
            try await stage.connection.query(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = on', current_database()); END $$")
            try await stage.connection.query("ALTER SYSTEM SET synchronous_commit = 'local'")
            try await stage.connection.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            try await stage.connection.query("SELECT pg_reload_conf()")
            let run = try stage.ingestion(Self.start)
            for ledger in 1000...1002 as ClosedRange<UInt32> {
                try await stage.reach(waiting, run)
                try await stage.terminateIngestion()
                try await stage.reach("'\(ledger)' = (SELECT value FROM ingest_store WHERE key = 'latest_ingest_ledger')", run)
            }
            try await stage.reach(waiting, run)
            try await stage.connection.query("ALTER SYSTEM RESET synchronous_standby_names")
            try await stage.connection.query("SELECT pg_reload_conf()")
            try await stage.untilAtTip(run)
            #expect(run.lines(containing: "database connection lost").count == 3, "\(run.log)")
            try await stage.end(run)
            try await stage.expectIngested(1019)
            #expect(try await stage.value("oldest_ingest_ledger") == "1000")
        }
    }

    @Test(arguments: ["goes on", "is told to end"]) func aDatabaseThatCrashesCostsNoRow(what: String) async throws {
        let server = try await PrivatePostgres.start()
        try await Self.fromTheStart(server: server) { stage in
            let gate = try await Gate(stage, at: 1007, .inTransaction)
            let first = try stage.ingestion(Self.start)
            try await gate.reached(by: first)
            try await server.stop(.immediate)
            _ = try #require(await first.line(containing: "database not reached"), "\(first.log)")
            if what == "is told to end" {
                first.send(SIGTERM)
                #expect(await first.exit() == 0, "\(first.log)")
            }
            try await server.start()
            // The gate's session went with the server: it is open.
            let stage = try await stage.reconnected()
            let run = what == "goes on" ? first : try stage.ingestion()
            try await stage.untilAtTip(run)
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    // MARK: one at a time

    @Test func aSecondInstanceNamesTheFirstAndTouchesNothing() async throws {
        try await Self.fromTheStart { stage in
            let first = try stage.ingestion(Self.start)
            try await stage.untilAtTip(first)
            let before = try await stage.fingerprint()
            let second = try await stage.ingest(exits: 1)
            let host = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8).filter { !$0.isNewline }
            // The server keeps 63 bytes of a session's name.
            let name = String("wallet-backend ingest \(ProgramVersion.text), pid \(first.pid) on \(host)".prefix(63))
            #expect(second.log.contains("wallet-backend-ingest-test") && second.log.contains(name), "\(second.log)")
            #expect(try await stage.fingerprint() == before)
            // Another network's is another lock, and comes to grief only because it shares the cursors.
            let other = try stage.ingestion(environment: ["NETWORK": "another"])
            _ = try #require(await other.line(containing: "resuming after"), "\(other.log)")
            other.send(SIGTERM)
            #expect(await other.exit() == 0, "\(other.log)")
            try await stage.end(first)
        }
    }

    @Test func theLockOfTheGoToolKeepsItOut() async throws {
        try await Self.fromTheStart { stage in
            let other = try await HandoffTests.lockLiveIngestion(stage)
            let before = try await stage.fingerprint()
            let refused = try await stage.ingest(Self.start, exits: 1)
            #expect(refused.log.contains("is held by live ingestion"), "\(refused.log)")
            #expect(try await stage.fingerprint() == before)
            await other.close()
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'live ingestion')")
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    /// Its session ends, and the one that waited for the lock gets it: there is one live ingestion, and this is not it any more.
    @Test func aLockThatWentToAnotherEndsItAndNothingIsCommitted() async throws {
        try await Self.fromTheStart { stage in
            let gate = try await Gate(stage, at: 1007, .inTransaction)
            let run = try stage.ingestion(Self.start)
            try await gate.reached(by: run)
            let other = Task { try await HandoffTests.lockLiveIngestion(stage) }
            try await stage.reach(
                """
                EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                        WHERE locktype = 'advisory' AND NOT granted AND application_name = 'live ingestion')
                """, run)
            try await stage.terminateIngestion()
            let usurper = try await other.value
            try await gate.open()
            #expect(await run.exit() == 1, "\(run.log)")
            #expect(run.log.contains("is held by live ingestion"), "\(run.log)")
            try await stage.expectIngested(1006)
            await usurper.close()
            let next = try stage.ingestion(Self.start)
            try await stage.untilAtTip(next)
            try await stage.end(next)
            try await stage.expectIngested(1019)
        }
    }

    @Test func aMigrationSeesItsLockAndConvergesOnceItHasEnded() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: nil)
            let live = try stage.ingestion(Self.start)
            try await stage.untilAtTip(live)
            let migration = try stage.migration()
            _ = try #require(await migration.line(containing: "but live ingestion runs"), "\(migration.log)")
            try await stage.end(live)
            #expect(await migration.exit() == 0, "\(migration.log)")
            #expect(migration.log.contains("CONVERGED") && !migration.log.contains("HANDOFF"), "\(migration.log)")
            try await stage.expectComplete()
        }
    }

    /// Both real programs: the migration catches up with a tip that waits at the gate, then live ingestion takes the cursors over.
    @Test func aMigrationHandsItsCursorsOverToIt() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: 1009)
            try await stage.createCursors(at: 1003)
            let gate = try await Gate(stage, at: 1015, .inTransaction)
            let live = try stage.ingestion()
            try await gate.reached(by: live)
            #expect(live.lines(containing: "history cursor lags").count == 2, "\(live.log)")
            let migration = try stage.migration(["--batch-size", "3"])
            _ = try #require(await migration.line(containing: "but live ingestion runs"), "\(migration.log)")
            #expect(try await stage.cursor("SEP41") == "1014")
            try await gate.open()
            #expect(await migration.exit() == 0, "\(migration.log)")
            #expect(migration.log.contains("HANDOFF") && !migration.log.contains("CONVERGED"), "\(migration.log)")
            try await stage.untilAtTip(live)
            let taken = live.lines(containing: "history cursor taken over")
            #expect(taken.map { $0.contains("ledger=1015") } == [true, true], "\(taken)")
            try await stage.end(live)
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger > 1003 })
            for id in ["SEP41", "SEP50"] {
                #expect(try await stage.cursor(id) == "1019")
                #expect(try await stage.status(id) == "success")
            }
        }
    }

    @Test func latestMovedByAHandEndsItWithTheNumbers() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: 1009)
            try await stage.createCursors(at: 1009)
            let hand = try await PostgresConnection.connect(stage.database, applicationName: "hand")
            try await hand.execute("BEGIN; UPDATE ingest_store SET value = '5000' WHERE key = 'latest_ingest_ledger'")
            let run = try stage.ingestion()
            let waits = "EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE \(Stage.ingestSession) AND NOT granted)"
            try await stage.reach(waits, run)
            try await hand.query("COMMIT")
            #expect(await run.exit() == 1, "\(run.log)")
            let line = try #require(run.lines.first { $0.contains("live ingestion stopped") }, "\(run.log)")
            #expect(line.contains("latest_ingest_ledger") && line.contains("5000") && line.contains("1009"), "\(line)")
            try await stage.expectRows([])
            #expect(try await stage.cursor("SEP41") == "1009")
        }
    }

    // MARK: the RPC

    @Test(arguments: [[], ["--count", "1", "--close-every", "0.1"]]) func anRPCThatFailsNowAndThenCostsNoRow(tip: [String]) async throws {
        let faults = ["--faults", "503,504,429,-32603,-32001,empty-page,cut-body,drop,wrong-hash,broken-chain", "--fail-every", "2"]
        try await Self.fromTheStart(simulatorArguments: faults + tip) { stage in
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    @Test func anRPCThatIsAwayForAWhileCostsNoRow() async throws {
        try await Self.fromTheStart { stage in
            let port = try freePort()
            let source = ["--ledgers", stage.fixture.folder.path]
            let before = try await OtherSimulator(port: port, source + ["--count", "5"])
            let run = try stage.withRPC(before.url).ingestion(Self.start)
            try await stage.untilAtTip(run, 1004)
            await before.end()
            _ = try #require(await run.line(containing: "getHealth failed, trying again"), "\(run.log)")
            let after = try await OtherSimulator(port: port, source)
            try await stage.untilAtTip(run)
            try await stage.end(run)
            await after.end()
            try await stage.expectIngested(1019)
        }
    }

    @Test func aSignalEndsItWhileTheRPCIsAway() async throws {
        try await Self.fromTheStart { stage in
            let run = try stage.ingestion(Self.start)
            try await stage.untilAtTip(run)
            stage.simulator.send(SIGKILL)
            _ = try #require(await run.line(containing: "getHealth failed, trying again"), "\(run.log)")
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }

    @Test(arguments: [(["--oldest", "1010"], UInt32(1004), "1010"), ([], 500, "1000")])
    func anRPCThatDoesNotKeepTheNextLedgerEndsIt(simulator: [String], latest: UInt32, oldest: String) async throws {
        try await Stage.with(simulatorArguments: simulator) { stage in
            try await stage.stand(at: latest)
            try await stage.createCursors(at: latest)
            let before = try await stage.fingerprint()
            let run = try await stage.ingest(exits: 1)
            let line = try #require(run.lines.first { $0.contains("live ingestion stopped") }, "\(run.log)")
            #expect(line.contains("does not keep it any more") && line.contains("\(latest + 1)") && line.contains(oldest), "\(line)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    /// Another seed's ledgers at the same address: as an RPC would look that was reset, or is on a fork.
    @Test func ledgersThatDoNotFollowTheLastOneAreNotTaken() async throws {
        try await Stage.with { stage in
            try await stage.stand(at: nil)
            let port = try freePort()
            let made = ["--first", "1000", "--ledger-bytes", "0"]
            let before = try await OtherSimulator(port: port, made + ["--seed", "1", "--count", "5"])
            let run = try stage.withRPC(before.url).ingestion(Self.start)
            try await stage.untilAtTip(run, 1004)
            await before.end()
            let after = try await OtherSimulator(port: port, made + ["--seed", "2", "--count", "10"])
            // The other end would be the new ledgers' tip.
            let line = try #require(await run.line { $0.contains("live ingestion stopped") || $0.contains("ledger=1009 ") }, "\(run.log)")
            if !line.contains("live ingestion stopped") { run.send(SIGTERM) }
            #expect(await run.exit() == 1, "\(run.log)")
            await after.end()
            #expect(line.contains("1005") && line.contains("fork"), "\(line)")
            #expect(try await stage.latest() == 1004)
        }
    }

    // MARK: the command line

    @Test func metricsTellWhereItIs() async throws {
        try await Self.fromTheStart { stage in
            let port = try freePort()
            let run = try stage.ingestion(Self.start + ["--metrics-port", "\(port)"])
            try await stage.untilAtTip(run)
            let text = try await Self.get("http://127.0.0.1:\(port)/metrics")
            let rows = stage.fixture.expected.filter { $0.stateChangeID < 3 << 40 }.count
            for line in [
                "wallet_ingest_latest_ledger 1019", "wallet_ingest_network_tip 1019", "wallet_ingest_ledgers_total 20",
                "wallet_ingest_rows_total{protocol_id=\"SEP41\"} \(rows)\n", "wallet_ingest_commit_duration_seconds_count 20",
            ] { #expect(text.contains(line), "\(text)") }
            #expect(!(try await Self.get("http://127.0.0.1:\(port)/readyz")).contains("starting"))
            try await stage.end(run)
        }
    }

    private static func get(_ url: String) async throws -> String {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        #expect("\(response.status)".hasPrefix("200"), "\(response.status)")
        return String(buffer: try await response.body.collect(upTo: 1 << 20))
    }

    @Test(
        arguments: [
            ([], ["NETWORK": ""], "--network"), (["--start-ledger", "0"], [:], "--start-ledger"),
            ([], ["START_LEDGER": "soon"], "START_LEDGER"),
            (["--start-ledger", "2147483648"], [:], "--start-ledger"), (["--metrics-port", "70000"], [:], "--metrics-port"),
            ([], ["LOG_LEVEL": "loud"], "LOG_LEVEL"), ([], ["DATABASE_URL": ""], "--database-url"), ([], ["RPC_URL": ""], "--rpc-url"),
            (["--rpc-url", "ftp://x"], [:], "--rpc-url"), ([], ["NETWORK_PASSPHRASE": ""], "--network-passphrase"),
            ([], ["DATABASE_URL": "postgresql://user:never-to-be-shown@host:port/"], "DATABASE_URL"), (["--nonsense"], [:], "--nonsense"),
            (["--latest-ledger-cursor-name", "oldest_ingest_ledger"], [:], "--oldest-ledger-cursor-name"),
        ] as [([String], [String: String], String)])
    func wrongUsageExits64AndNamesTheFlag(arguments: [String], environment: [String: String], flag: String) async throws {
        var settings = [
            "DATABASE_URL": "postgresql:///nowhere", "RPC_URL": "http://127.0.0.1:1", "NETWORK_PASSPHRASE": "x", "NETWORK": "test",
        ]
        settings.merge(environment) { $1 }
        let run = try RunningProgram("wallet-backend", ["ingest"] + arguments, environment: settings)
        #expect(await run.exit() == 64, "\(run.log)")
        // "--network" alone, not as the beginning of another flag.
        #expect(run.log.split { " :,'\"()=".contains($0) || $0.isNewline }.contains(Substring(flag)), "\(run.log)")
        #expect(!run.log.contains(PrivatePostgres.password), "\(run.log)")
    }
}
