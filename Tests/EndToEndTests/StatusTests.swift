import Foundation
import Operations
import PostgreSQL
import TestSupport
import Testing

/// `protocol-migrate status`: what it says before, during and after a migration, and where it can say nothing.
@Suite(.timeLimit(.minutes(5))) struct StatusTests {
    private static let command = ["protocol-migrate", "status"]

    @Test func showsWhoMigratesAndHowFar() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(["--batch-size", "1"])
            try await stage.untilHeld(run)
            let answer = try Answer(try await stage.ask(Self.command + ["--json"]))
            #expect(answer.number("oldest_ledger") == 1000 && answer.number("latest_ledger") == 1019)
            #expect(answer.text("live_ingestion") == "not running")
            #expect(answer.objects("protocols").compactMap { $0["id"] as? String } == ["SEP41", "SEP50"])
            for index in 0...1 {
                let history = "protocols.\(index).history"
                #expect(answer.text("protocols.\(index).classification_status") == "success")
                #expect(answer.text("\(history).status") == "in_progress")
                #expect(answer["\(history).running"] as? Bool == true)
                #expect(answer.number("\(history).cursor") == 1009 && answer.number("\(history).target") == 1019)
                #expect(answer.number("\(history).lag_ledgers") == 10 && answer.number("\(history).lag_seconds") == 50)
                // Held back: it does not move, and that is what is said.
                #expect(answer["\(history).ledgers_per_second"] == nil && answer["\(history).eta_seconds"] == nil)
                #expect(answer.objects("\(history).holders").count == 1)
                #expect(
                    answer.text("\(history).holders.0.application_name")?.hasPrefix(
                        "wallet-backend migration \(ProgramVersion.text), pid \(run.pid)") == true)
                #expect(answer["\(history).holders.0.connected_since"] != nil)
                #expect(answer.text("protocols.\(index).current_state.status") == "not_started")
            }
            let text = try await stage.ask(Self.command)
            #expect(text.log.contains("no move"), "\(text.log)")
            #expect(
                text.log.contains("SEP41 history, SEP50 history: wallet-backend migration \(ProgramVersion.text), pid \(run.pid)"),
                "\(text.log)")
            #expect(text.lines.allSatisfy { $0.count <= 100 }, "\(text.log)")

            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            let after = try Answer(try await stage.ask(Self.command + ["--json"]))
            #expect(after.text("protocols.0.history.status") == "success" && after.number("protocols.0.history.lag_ledgers") == 0)
            #expect(after["protocols.0.history.running"] as? Bool == false && after.objects("protocols.0.history.holders").isEmpty)
        }
    }

    /// The Go tool's lock counts as ours does, and a cursor that moves has a speed and a time left.
    @Test func showsTheSpeedOfACursorThatMoves() async throws {
        try await Stage.with { stage in
            try await stage.createCursors(at: 100)
            let other = try await PostgresConnection.connect(stage.database, applicationName: "the Go tool")
            try await other.query("SELECT pg_advisory_lock($1)", [MigrationLockTests.key("wallet-backend-history-SEP41")])
            let mover = Task {
                while !Task.isCancelled {
                    try await other.query(
                        """
                        UPDATE ingest_store SET value = (value::int + 1)::text
                        WHERE key = 'protocol_SEP41_history_cursor' AND value::int < 900
                        """)
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            let answer = try Answer(try await stage.ask(Self.command + ["--json"]))
            mover.cancel()
            #expect(answer.text("protocols.0.history.holders.0.application_name") == "the Go tool")
            #expect((answer.number("protocols.0.history.ledgers_per_second") ?? 0) > 0)
            #expect((answer.number("protocols.0.history.eta_seconds") ?? 0) > 0)
            #expect(answer["protocols.1.history.ledgers_per_second"] == nil)
        }
    }

    @Test func tellsWhatToDo() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(
                """
                UPDATE protocols SET history_migration_status = 'in_progress' WHERE id = 'SEP41';
                UPDATE protocols SET classification_status = 'failed' WHERE id = 'SEP50';
                INSERT INTO ingest_store VALUES ('protocol_SEP50_history_cursor', 'soon')
                """)
            let before = try await stage.fingerprint()
            let answer = try Answer(try await stage.ask(Self.command + ["--json"], environment: ["NETWORK": ""]))
            let notes = answer.texts("notes").joined(separator: "\n")
            for text in [
                "--network", "SEP41 history is in_progress, but nobody migrates it", "classification_status is 'failed'", "'soon'",
            ] { #expect(notes.contains(text), "\(notes)") }
            #expect(answer.text("live_ingestion") == "unknown")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func saysWhatIsMissing() async throws {
        try await Stage.with { stage in
            // Nobody is waited for: neither this session for the table, nor another one behind it.
            let hand = try await stage.hand("LOCK TABLE protocols IN ACCESS EXCLUSIVE MODE")
            let held = try await stage.ask(Self.command + ["--json"], exits: 1)
            #expect(try Answer(held).texts("problems").joined().contains("lock timeout"), "\(held.log)")
            try await hand.execute("DROP TABLE protocols CASCADE; COMMIT")
            let missing = try await stage.ask(Self.command + ["--json"], exits: 1)
            #expect(try Answer(missing).texts("problems").joined().contains("migrate up"), "\(missing.log)")
            let unreachable = try await stage.ask(Self.command, environment: ["DATABASE_URL": "host=/nowhere dbname=x"], exits: 1)
            #expect(unreachable.log.contains("/nowhere"), "\(unreachable.log)")
        }
    }

    @Test func watchesUntilItIsInterrupted() async throws {
        try await Stage.with { stage in
            let program = try RunningProgram(
                "wallet-backend", Self.command + ["--watch", "--json"], environment: ["DATABASE_URL": stage.databaseText])
            _ = try #require(await program.line(containing: "\"protocols\""), "\(program.log)")
            try await stage.createCursors(at: 1005)
            let line = try #require(await program.line(containing: "\"cursor\":1005"), "\(program.log)")
            #expect(Answer(line: line).number("protocols.1.history.lag_ledgers") == 14)
            program.send(SIGINT)
            #expect(await program.exit() == 128 + SIGINT, "\(program.log)")
        }
    }
}
