import Foundation
import PostgreSQL
import TestSupport
import Testing

/// `protocol-migrate plan`: what a run would do, all that would stop it, and nothing written.
@Suite(.timeLimit(.minutes(5))) struct PlanTests {
    private static let command = ["protocol-migrate", "plan"]

    @Test func tellsWorkAndEstimateAndWritesNothing() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', '1009')")
            let before = try await Self.everything(stage)
            let answer = try Answer(try await stage.ask(Self.command + ["--json", "--batch-size", "4"]))
            #expect(answer.texts("obstacles").isEmpty)
            #expect(answer.text("protocols.0.id") == "SEP50" && answer.text("protocols.0.action") == "migrate")
            #expect(answer.number("protocols.0.from") == 1000 && answer.number("protocols.0.to") == 1019)
            #expect(answer.number("protocols.1.from") == 1010 && answer.number("protocols.1.cursor") == 1009)
            // 1000-1009 for one protocol, 1010-1019 for both.
            #expect(answer.number("ledgers") == 20 && answer.number("batches") == 6)
            #expect(answer.number("source.latest_ledger") == 1019 && answer["source.has_all"] as? Bool == true)
            // A short range is the sample, whole: of SEP50, which needs all of it, the estimate is the truth.
            #expect(answer.number("sample.ledgers") == 20)
            let truth = stage.fixture.expected.count { $0.stateChangeID >> 40 == 3 }
            #expect(answer.number("protocols.0.estimated_rows").map { Int($0.rounded()) } == truth)
            #expect((answer.number("estimate.seconds") ?? 0) > 0 && (answer.number("estimate.ledger_bytes") ?? 0) > 0)
            #expect(!answer.texts("assumptions").isEmpty)

            let text = try await stage.ask(Self.command)
            #expect(text.log.contains("a run can begin") && text.log.contains("1010"), "\(text.log)")
            #expect(text.lines.allSatisfy { $0.count <= 100 }, "\(text.log)")
            #expect(try await Self.everything(stage) == before)
            // What it promised.
            try await stage.connection.execute("DELETE FROM ingest_store WHERE key = 'protocol_SEP41_history_cursor'")
            try await stage.migrate()
            try await stage.expectComplete()
            let after = try await stage.ask(Self.command)
            #expect(after.log.contains("nothing to migrate"), "\(after.log)")
        }
    }

    /// Whoever plans a run puts `plan` in the place of `history`, and leaves the rest of the line as it is.
    @Test func takesEveryFlagOfARun() async throws {
        let dump = try RunningProgram("wallet-backend", ["--experimental-dump-help"])
        #expect(await dump.exit() == 0)
        let tool = try #require(try JSONSerialization.jsonObject(with: Data(dump.log.utf8)) as? [String: Any])
        func flags(_ path: String...) throws -> Set<String> {
            var command = try #require(tool["command"] as? [String: Any])
            for name in path {
                let commands = try #require(command["subcommands"] as? [[String: Any]])
                command = try #require(commands.first { $0["commandName"] as? String == name })
            }
            let arguments = try #require(command["arguments"] as? [[String: Any]])
            return Set(arguments.compactMap { ($0["preferredName"] as? [String: Any])?["name"] as? String })
        }
        let missing = try flags("protocol-migrate", "history").subtracting(try flags("protocol-migrate", "plan"))
        #expect(missing.isEmpty)
        #expect(try flags("protocol-migrate", "history").contains("status-port"))
    }

    @Test func allObstaclesAtOnce() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(
                """
                UPDATE protocols SET classification_status = 'in_progress' WHERE id = 'SEP50';
                UPDATE ingest_store SET value = '10' WHERE key = 'oldest_ingest_ledger';
                INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', 'soon');
                ALTER TABLE state_changes DROP COLUMN to_muxed_id
                """)
            let other = try await PostgresConnection.connect(stage.database, applicationName: "another migration")
            try await other.query("SELECT pg_advisory_lock($1)", [MigrationLockTests.key("wallet-backend-history-SEP41")])
            let before = try await Self.everything(stage)
            let run = try await stage.ask(
                Self.command + ["--json", "--protocol-id", "SEP50", "SEP41", "SEP99"],
                environment: ["NETWORK_PASSPHRASE": "Public Global Stellar Network ; September 2015"], exits: 1)
            let obstacles = try Answer(run).texts("obstacles")
            for text in [
                "SEP50: classification_status is 'in_progress'", "protocol_SEP41_history_cursor", "state_changes.to_muxed_id",
                "another migration",
                "Public Global", "10-1019", "SEP99: this build has no processor",
            ] { #expect(obstacles.count { $0.contains(text) } == 1, "\(text): \(obstacles)") }
            #expect(obstacles.count == 7, "\(obstacles)")
            let text = try await stage.ask(Self.command, exits: 1)
            #expect(text.log.contains("a run would stop: "), "\(text.log)")
            #expect(try await Self.everything(stage) == before)
        }
    }

    @Test func everyProtocolThatIsMigratedAlreadyIsNamed() async throws {
        try await Stage.with { stage in
            var holders: [PostgresConnection] = []
            for (id, who) in [("SEP41", "one migration"), ("SEP50", "another migration")] {
                let holder = try await PostgresConnection.connect(stage.database, applicationName: who)
                try await holder.query("SELECT pg_advisory_lock($1)", [MigrationLockTests.key("wallet-backend-history-\(id)")])
                holders.append(holder)
            }
            let obstacles = try Answer(try await stage.ask(Self.command + ["--json"], exits: 1)).texts("obstacles")
            #expect(obstacles.count == 2, "\(obstacles)")
            for text in ["one migration", "another migration"] {
                #expect(obstacles.contains { $0.contains(text) }, "\(obstacles)")
            }
            for holder in holders { await holder.close() }
        }
    }

    @Test func withoutDatabaseAndSourceBothAreNamed() async throws {
        let run = try RunningProgram(
            "wallet-backend", Self.command + ["--protocol-id", "SEP41"],
            environment: [
                "DATABASE_URL": "host=/nowhere password=\(PrivatePostgres.password)", "RPC_URL": "http://127.0.0.1:1/key",
                "NETWORK_PASSPHRASE": Stage.passphrase,
            ])
        #expect(await run.exit() == 1, "\(run.log)")
        #expect(run.lines(containing: "obstacle ").count == 2, "\(run.log)")
        #expect(run.log.contains("/nowhere") && run.log.contains("http://127.0.0.1:1"), "\(run.log)")
        #expect(!run.log.contains(PrivatePostgres.password) && !run.log.contains("/key"), "\(run.log)")
    }

    /// Every table, row by row, and who has changed it last.
    private static func everything(_ stage: Stage) async throws -> [String] {
        var texts: [String] = []
        for table in ["ingest_store", "protocols", "protocol_wasms", "protocol_contracts", "state_changes"] {
            let row = try await stage.connection.query("SELECT string_agg(t.xmin || t::text, ';' ORDER BY t::text) AS rows FROM \(table) t")
                .first
            texts.append(row?["rows"] ?? "")
        }
        return texts
    }
}
