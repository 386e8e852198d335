import PostgreSQL
import TestSupport
import Testing

/// The programs on tables that are kept in one way or another.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HypertableTests {
    @Test func aPlainTableIsCalledOne() async throws {
        try await Stage.with { stage in try await Self.expectUp(stage, says: ["hypertable=false", "columnstore=false"]) }
    }

    /// The second run makes nothing and still says what is there.
    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func aHypertableIsCalledOne() async throws {
        try await Stage.with(server: PrivatePostgres.timescale()) { stage in
            try await Self.expectUp(stage, says: ["hypertable=true", "columnstore=true"])
        }
    }

    private static func expectUp(_ stage: Stage, says: [String]) async throws {
        let up = try RunningProgram("wallet-backend", ["migrate", "up"], environment: ["DATABASE_URL": stage.databaseText])
        #expect(await up.exit() == 0, "\(up.log)")
        let line = try #require(up.lines(containing: "database is up to date").first, "\(up.log)")
        for text in says { #expect(line.contains(text), "\(line)") }
    }

    @Test func otherIndexesAreOneWarningOfEachStartAndStopNothing() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(
                "DROP INDEX idx_state_changes_operation_id; CREATE INDEX more ON state_changes (ledger_number)")
            try await Self.expectUp(stage, says: ["hypertable=false"])
            let migration = try await stage.migrate()
            try await stage.expectComplete()
            let live = try stage.ingestion()
            _ = try #require(await live.line(containing: "resuming after"), "\(live.log)")
            try await stage.end(live)
            for run in [migration, live] {
                let warnings = run.lines(containing: "state_changes is not kept as expected")
                #expect(warnings.count == 1, "\(run.log)")
                for text in ["(operation_id) is missing", "more (ledger_number) is additional"] {
                    #expect(warnings.first?.contains(text) == true, "\(warnings)")
                }
            }
        }
    }

    @Test func withoutItsPrimaryKeyTheTableIsRefused() async throws {
        try await Stage.with { stage in
            try await stage.connection.query("ALTER TABLE state_changes DROP CONSTRAINT state_changes_pkey")
            for run in [try await stage.migrate(exits: 1), try await stage.ingest(exits: 1)] {
                #expect(run.log.contains("primary key of state_changes is missing"), "\(run.log)")
            }
            try await stage.expectRows([])
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func liveIngestionSaysThatItWritesIntoACompressedChunk()
        async throws
    {
        try await Stage.with(server: PrivatePostgres.timescale()) { stage in
            let start = ["--start-ledger", "1000"]
            try await stage.stand(at: nil)
            try await stage.createCursors(at: 999)
            let before = try stage.ingestion(start)
            try await stage.untilAtTip(before)
            try await stage.end(before)
            try await stage.expectIngested(1019)
            #expect(!before.log.contains("decompress_chunk"), "\(before.log)")

            // The same ledgers again, once the policy has been there.
            try await stage.connection.execute("DELETE FROM state_changes; DELETE FROM ingest_store")
            try await stage.connection.query("SELECT compress_chunk(c) FROM show_chunks('state_changes') c")
            try await stage.createCursors(at: 999)
            let run = try stage.ingestion(start)
            let line = try #require(await run.line(containing: "decompress_chunk"), "\(run.log)")
            #expect(line.contains("_hyper_") && line.contains("compressed chunk"), "\(line)")
            try await stage.untilAtTip(run)
            try await stage.end(run)
            try await stage.expectIngested(1019)
        }
    }
}
