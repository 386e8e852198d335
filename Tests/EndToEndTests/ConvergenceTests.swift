import Foundation
import PostgreSQL
import TestSupport
import Testing

/// How a migration and live ingestion meet, and what happens where something else interferes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ConvergenceTests {
    private static let small = ["--batch-size", "1", "--log-level", "debug", "--fetchers", "1"]

    @Test func aLiveIngestionThatDoesNotKnowTheCursorPassesAHundredLedgersByAndAllOfThemAreMigrated() async throws {
        try await Fixture.withMade(seed: 21, count: 140, events: 3) { fixture in
            try await Stage.with(fixture) { stage in
                try await stage.connection.execute("UPDATE ingest_store SET value = '1009' WHERE key = 'latest_ingest_ledger'")
                let live = try await GoLiveIngestion(stage)
                let run = try stage.migration()
                _ = try #require(await run.line(containing: "but live ingestion runs"), "\(run.log)")
                var taken: [String] = []
                while taken.isEmpty, await live.latest < 1120 {
                    taken = try await live.ingest()
                    // It never waits for a migration; here it does, so that the one that looks again finds it at the tip.
                    try await stage.reach("SELECT count(*) = 3 FROM ingest_store WHERE value = '\(await live.latest)'", run)
                }
                #expect(taken == ["SEP41", "SEP50"])
                #expect(await live.latest == 1109)
                #expect(await run.exit() == 0, "\(run.log)")
                #expect(run.log.contains("HANDOFF") && !run.log.contains("CONVERGED"), "\(run.log)")
                #expect(run.log.contains("migrated_through=1108"), "\(run.log)")
                for _ in 0..<5 { try await live.ingest() }
                await live.end()
                try await stage.expectRows(fixture.expected.filter { $0.ledger <= 1114 })
                #expect(try await stage.cursor("SEP41") == "1114")
                #expect(run.lines.count < 80, "a hundred rounds of a ledger each are no hundred lines: \(run.lines.count)")
            }
        }
    }

    @Test func aLiveIngestionOfAnotherNameIsNoticed() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("UPDATE ingest_store SET value = '1009' WHERE key = 'latest_ingest_ledger'")
            let live = try await GoLiveIngestion(stage)
            let run = try stage.migration(environment: ["NETWORK": "tset", "CONVERGENCE_WAIT": "60"])
            // Only a ledger between two looks tells; the first one may come before the first look.
            var doubt: String?
            _ = try #require(await run.line(containing: "caught up"), "\(run.log)")
            while doubt == nil, await live.latest < 1019 {
                try await live.ingest()
                try await stage.reach("SELECT count(*) = 3 FROM ingest_store WHERE value = '\(await live.latest)'", run)
                doubt = run.lines.first { $0.contains("was it started with another --network?") }
            }
            #expect(doubt?.contains("level=warning") == true && doubt?.contains("network=tset") == true, "\(run.log)")
            run.send(SIGTERM)
            #expect(await run.exit() == 143, "\(run.log)")
            await live.end()
        }
    }

    @Test func aFailedSwapIsBelievedWhereTheCursorStandsAtTheLatestLedger() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            let hand = try await stage.hand("UPDATE ingest_store SET value = '1020' WHERE key LIKE 'protocol%history_cursor'")
            try await stage.release()
            try await stage.untilWriterIsBlocked(run)
            try await hand.execute("UPDATE ingest_store SET value = '1020' WHERE key = 'latest_ingest_ledger'; COMMIT")
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.log.contains("HANDOFF") && !run.log.contains("CONVERGED"), "\(run.log)")
            // Nothing but a hand can do this: the operator is told.
            #expect(run.log.contains("level=warning") && run.log.contains("may have no state changes"), "\(run.log)")
            #expect(try await stage.status("SEP50") == "success")
        }
    }

    @Test(arguments: [
        ("moved forward", "UPDATE ingest_store SET value = '1015' WHERE key = 'protocol_SEP41_history_cursor'", "1015"),
        ("moved back", "UPDATE ingest_store SET value = '900' WHERE key = 'protocol_SEP41_history_cursor'", "900"),
        ("deleted", "DELETE FROM ingest_store WHERE key = 'protocol_SEP41_history_cursor'", "gone"),
        ("no number", "UPDATE ingest_store SET value = '0x3f' WHERE key = 'protocol_SEP41_history_cursor'", "0x3f"),
    ])
    func aCursorTouchedInTheMidstOfARoundFailsItsProtocolAloneWithTheNumbers(what: String, script: String, number: String) async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            try await stage.connection.execute(script)
            try await stage.release()
            let failed = try #require(await run.line(containing: "protocol failed"), "\(run.log)")
            #expect(failed.contains("SEP41") && failed.contains(number), "\(failed)")
            #expect(await run.exit() == 1, "\(run.log)")
            #expect(try await stage.status("SEP41") == "failed")
            #expect(try await stage.status("SEP50") == "success")
            let rows = try await stage.rows().filter { $0.protocolID == "SEP50" }
            #expect(rows == stage.fixture.expected.filter { $0.protocolID == "SEP50" }.sorted())
        }
    }

    @Test func contractsThatAreClassifiedDuringTheRunAreInTheRoundThatReachesTheirLedger() async throws {
        try await Fixture.withMade(seed: 22, count: 60, events: 1) { fixture in
            // The contract whose first event comes last: from the ledger that deploys it on, it counts.
            let deployments = fixture.contracts.flatMap { id, contracts in
                contracts.compactMap { contract in fixture.firstLedger(of: contract).map { (ledger: $0, id: id, contract: contract) } }
            }
            let (ledger, id, contract) = try #require(deployments.max { $0.ledger < $1.ledger })
            try #require(ledger > 1005)
            try await Stage.with(fixture) { stage in
                try await stage.connection.execute(
                    """
                    UPDATE ingest_store SET value = '\(ledger - 3)' WHERE key = 'latest_ingest_ledger';
                    DELETE FROM protocol_contracts WHERE contract_id = '\\x\(contract)'
                    """)
                let live = try await GoLiveIngestion(stage)
                let run = try stage.migration()
                _ = try #require(await run.line(containing: "but live ingestion runs"), "\(run.log)")
                while await live.latest < fixture.ledgers.upperBound {
                    let classification = """
                        INSERT INTO protocol_contracts(contract_id, wasm_hash)
                        SELECT '\\x\(contract)', wasm_hash FROM protocol_wasms WHERE protocol_id = '\(id)'
                        """
                    try await live.ingest(classifying: await live.latest + 1 == ledger ? classification : "")
                }
                await live.end()
                #expect(await run.exit() == 0, "\(run.log)")
                try await stage.expectComplete()
            }
        }
    }

    @Test func aProtocolThatIsHandedOffIsASuccessAlsoWhereTheRPCIsGoneForTheOther() async throws {
        try await Stage.with(simulatorArguments: ["--hold-from", "1003"]) { stage in
            try await stage.connection.execute(
                "INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', '1019'), ('protocol_SEP50_history_cursor', '1002')")
            let live = try await GoLiveIngestion(stage)
            let run = try stage.migration(["--batch-size", "1", "--fetchers", "1"])
            _ = try #require(await run.line(containing: "round begins"), "\(run.log)")
            #expect(try await live.ingest() == ["SEP41"])
            let handoff = try #require(await run.line(containing: "HANDOFF"), "\(run.log)")
            #expect(handoff.contains("protocol=SEP41") && handoff.contains("migrated_through=1019"), "\(handoff)")
            // The status is there while the other protocol is far behind.
            try await stage.reach("SELECT history_migration_status = 'success' FROM protocols WHERE id = 'SEP41'", run)
            #expect(try await stage.status("SEP50") == "in_progress")

            stage.simulator.send(SIGKILL)
            _ = await stage.simulator.exit()
            let without = try RunningProgram(
                "ledger-simulator",
                [
                    "serve", "--port", String(stage.rpcURL.split(separator: ":").last ?? ""), "--ledgers", stage.fixture.folder.path,
                    "--network-passphrase", Stage.passphrase, "--oldest", "1019",
                ])
            _ = try #require(await without.line(containing: "listening on "), "\(without.log)")
            #expect(await run.exit() == 1, "\(run.log)")
            without.send(SIGKILL)
            await live.end()
            #expect(try await stage.status("SEP41") == "success")
            #expect(try await stage.status("SEP50") == "failed")
            #expect(run.log.contains("outcome=HANDOFF protocol=SEP41") && run.log.contains("outcome=STOPPED protocol=SEP50"), "\(run.log)")
        }
    }

    @Test func theDatabaseAndTheRPCGoneDuringTheWaitAreNoConvergence() async throws {
        let server = try await PrivatePostgres.start()
        try await Stage.with(server: server) { stage in
            let before = try await GoLiveIngestion(stage)
            let run = try stage.migration(environment: ["CONVERGENCE_WAIT": "60"])
            _ = try #require(await run.line(containing: "caught up"), "\(run.log)")
            stage.simulator.send(SIGKILL)
            // Nobody can fetch again what the crash would lose.
            try await stage.connection.execute("CHECKPOINT")
            try await server.stop(.immediate)
            _ = try #require(await run.line(containing: "the session that holds the migration locks is lost"), "\(run.log)")
            try await server.start()
            await before.end()
            let again = try await stage.reconnected()
            let after = try await GoLiveIngestion(again)
            _ = try #require(await run.line(containing: "the migration locks are ours again"), "\(run.log)")
            #expect(try await after.ingest() == ["SEP41", "SEP50"])
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.log.contains("HANDOFF") && !run.log.contains("CONVERGED"), "\(run.log)")
            await after.end()
            try await again.expectRows()
        }
    }

    @Test func whenTheLockSessionIsLostNothingIsCommittedUntilTheLockIsBack() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            let hand = try await stage.stopWriterInTransaction(run)
            // As if the server took long to notice that the session is dead: the lock stays with one that bears its name.
            let name = try #require(try await Self.lockSession(stage)["application_name"])
            let (dead, taken) = try await Self.nextHolder(of: stage, named: name)
            try await Self.killLockSession(stage)
            try await taken.value
            _ = try #require(await run.line { $0.contains("locks is lost") && $0.contains("level=error") }, "\(run.log)")
            await hand.close()
            let waiting = try #require(await run.line(containing: "waiting for a session to end that holds a lock"), "\(run.log)")
            #expect(waiting.contains("wallet-backend-migrate-protocol_SEP") && waiting.contains(name), "\(waiting)")
            // What the writer did until it was told to stop may stand; then it has nothing to do for a whole second.
            try await stage.reach(
                """
                NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wallet-backend writer'
                            AND (state <> 'idle' OR clock_timestamp() - state_change < interval '1 s'))
                """, run)
            let cursor = try #require(try await stage.cursor("SEP41").flatMap { Int($0) })
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= cursor })
            #expect(!run.log.contains("locks are ours again"), "\(run.log)")
            let stopped = try #require(run.lines.firstIndex { $0.contains("waiting for a session to end") })
            #expect(!run.lines[stopped...].contains { $0.contains("\"committed\"") }, "\(run.log)")
            await dead.close()
            _ = try #require(await run.line(containing: "the migration locks are ours again"), "\(run.log)")
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    @Test func whereAnotherMigrationHasTheLockMeanwhileTheRunEndsAndSaysWho() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            let (thief, taken) = try await Self.nextHolder(of: stage, named: "another migration")
            try await Self.killLockSession(stage)
            try await taken.value
            try await stage.release()
            #expect(await run.exit() == 1, "\(run.log)")
            let pid = try #require(await thief.backendPID)
            #expect(run.log.contains("another migration") && run.log.contains("server process \(pid)"), "\(run.log)")
            let cursor = try #require(try await stage.cursor("SEP41").flatMap { Int($0) })
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= cursor })
            await thief.close()
            try await stage.migrate()
            try await stage.expectComplete()
        }
    }

    @Test func theOldestLedgerMovedPastTheCursorBetweenTwoRuns() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let first = try stage.migration(Self.small)
            try await stage.untilHeld(first)
            first.send(SIGTERM)
            #expect(await first.exit() == 143)
            try await stage.release()
            try await stage.connection.execute("UPDATE ingest_store SET value = '1012' WHERE key = 'oldest_ingest_ledger'")
            let second = try await stage.migrate()
            #expect(second.log.contains("moved forward from 1009 to 1011"), "\(second.log)")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= 1009 || $0.ledger >= 1012 })
            #expect(try await stage.status("SEP41") == "success")
        }
    }

    @Test func theCurrentStateCursorStaysWhereItIs() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("INSERT INTO ingest_store VALUES ('protocol_SEP41_current_state_cursor', '1003')")
            let live = try await GoLiveIngestion(stage)
            let run = try stage.migration()
            _ = try #require(await run.line(containing: "caught up"), "\(run.log)")
            await live.end()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
            let cursor = try await stage.connection.query(
                "SELECT value FROM ingest_store WHERE key = 'protocol_SEP41_current_state_cursor'")
            #expect(cursor.first?["value"] == "1003")
        }
    }

    /// What the server says of the session that holds the migration's locks: `application_name`, and the `key` of one of the locks.
    private static func lockSession(_ stage: Stage) async throws -> PostgresRow {
        try #require(
            try await stage.connection.query(
                """
                SELECT a.application_name, (l.classid::bigint << 32 | l.objid::bigint) AS key
                FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE l.locktype = 'advisory' AND a.datname = current_database() AND a.application_name LIKE 'wallet-backend migration%'
                ORDER BY key LIMIT 1
                """
            ).first)
    }

    /// A session that waits for one of the migration's locks, and gets it as soon as the migration's session is gone.
    private static func nextHolder(of stage: Stage, named name: String) async throws -> (PostgresConnection, Task<Void, any Error>) {
        let key = try #require(try await lockSession(stage)["key"])
        let next = try await PostgresConnection.connect(stage.database, applicationName: name)
        let pid = try #require(await next.backendPID)
        let taken = Task { _ = try await next.query("SELECT pg_advisory_lock($1)", [key]) }
        try await stage.connection.waitUntilBlocked(backend: pid)
        return (next, taken)
    }

    private static func killLockSession(_ stage: Stage) async throws {
        try await stage.connection.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'wallet-backend migration%'
                  AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)
            """)
    }
}
