import Foundation
import TestSupport
import PostgreSQL
import Testing

/// The end of a migration: converged without live ingestion, handed off to it, or refused where something else moved the cursor.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HandoffTests {
    /// Live ingestion's lock of the network "test", on a session of its own.
    static func lockLiveIngestion(_ stage: Stage) async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(stage.database, applicationName: "live ingestion")
        try await connection.query("SELECT pg_advisory_lock($1)", [GoLiveIngestion.lockKey(network: "test")])
        return connection
    }

    @Test func caughtUpWithoutLiveIngestionIsConverged() async throws {
        try await Stage.with { stage in
            let run = try await stage.migrate()
            #expect(run.log.contains("CONVERGED") && !run.log.contains("HANDOFF"), "\(run.log)")
            try await stage.expectComplete()
        }
    }

    @Test func whileLiveIngestionRunsOnlyItsTakingOverEndsTheMigration() async throws {
        try await Stage.with { stage in
            let live = try await Self.lockLiveIngestion(stage)
            let run = try stage.migration()
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            // What live ingestion does for a ledger, for both protocols.
            try await live.execute(
                """
                BEGIN; UPDATE ingest_store SET value = '1020' WHERE key = 'latest_ingest_ledger' AND value = '1019';
                UPDATE ingest_store SET value = '1020' WHERE key LIKE 'protocol_%_history_cursor' AND value = '1019'; COMMIT
                """)
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.log.contains("HANDOFF") && !run.log.contains("CONVERGED"), "\(run.log)")
            try await stage.expectRows()
            #expect(try await stage.status("SEP41") == "success")
            #expect(try await stage.cursor("SEP41") == "1020")
        }
    }

    @Test func withoutANetworksNameLiveIngestionIsTakenToBeRunningUntilConvergenceIsAccepted() async throws {
        try await Stage.with { stage in
            let waiting = try stage.migration(environment: ["NETWORK": ""])
            _ = try #require(await waiting.line(containing: "but live ingestion "), "\(waiting.log)")
            waiting.send(SIGTERM)
            #expect(await waiting.exit() == 143)
            let accepted = try await stage.migrate(["--accept-convergence"], environment: ["NETWORK": ""])
            #expect(accepted.log.contains("CONVERGED"), "\(accepted.log)")
            try await stage.expectComplete()
        }
    }

    @Test(arguments: [
        ("moved back", "UPDATE ingest_store SET value = '1001' WHERE key = 'protocol_SEP41_history_cursor'", "1001"),
        ("moved forward", "UPDATE ingest_store SET value = '5000' WHERE key = 'protocol_SEP41_history_cursor'", "5000"),
        ("deleted", "DELETE FROM ingest_store WHERE key = 'protocol_SEP41_history_cursor'", "gone"),
        ("no number", "UPDATE ingest_store SET value = 'soon' WHERE key = 'protocol_SEP41_history_cursor'", "soon"),
    ])
    func aCursorTouchedByAHandFailsItsProtocolAloneWithTheNumbers(what: String, script: String, number: String) async throws {
        try await Stage.with { stage in
            let live = try await Self.lockLiveIngestion(stage)
            let run = try stage.migration()
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            try await stage.connection.execute(script)
            let failed = try #require(await run.line(containing: "protocol failed"), "\(run.log)")
            #expect(failed.contains("SEP41") && failed.contains(number) && failed.contains("1019"), "\(failed)")
            await live.close()
            #expect(await run.exit() == 1, "\(run.log)")
            #expect(try await stage.status("SEP41") == "failed")
            #expect(try await stage.status("SEP50") == "success")
        }
    }

    @Test func ledgersThatLiveIngestionAddsMeanwhileAreMigratedBeforeItTakesOver() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("UPDATE ingest_store SET value = '1009' WHERE key = 'latest_ingest_ledger'")
            let live = try await Self.lockLiveIngestion(stage)
            let run = try stage.migration()
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= 1009 })
            // Live ingestion does not know the cursors yet: it passes by.
            try await stage.connection.execute("UPDATE ingest_store SET value = '1019' WHERE key = 'latest_ingest_ledger'")
            await live.close()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }
}
