import Foundation
import PostgreSQL
import TestSupport
import Testing

/// `doctor`: each thing that can be wrong, made wrong.
@Suite(.timeLimit(.minutes(5))) struct DoctorTests {
    /// The verdicts by name, and what stands beside them.
    private struct Report {
        let checks: [[String: Any]]

        init(_ program: RunningProgram) throws { checks = try Answer(program).objects("checks") }

        func verdicts(_ name: String) -> [String] {
            checks.filter { $0["name"] as? String == name }.compactMap { $0["verdict"] as? String }
        }
        func text(_ name: String) -> String {
            checks.filter { $0["name"] as? String == name }.map { "\($0["found"] ?? "") \($0["advice"] ?? "")" }.joined(separator: "\n")
        }
        var failed: [String] { checks.filter { $0["verdict"] as? String == "fail" }.compactMap { $0["name"] as? String } }
    }

    @Test func nothingFailsWhereAllIsWell() async throws {
        try await Stage.with { stage in
            let live = try await HandoffTests.lockLiveIngestion(stage)
            let before = try await stage.fingerprint()
            let report = try Report(try await stage.ask(["doctor", "--json"]))
            #expect(report.failed == [])
            for name in [
                "database", "version", "timescaledb", "tables", "indexes", "role, coordinator", "role, writer", "role, ingest",
                "role, rebuild",
                "cursors", "locks", "live ingestion", "clock", "source", "network", "range", "temporary folder", "processor",
            ] { #expect(report.verdicts(name) == ["ok"], "\(name): \(report.text(name))") }
            // The fixture's ledgers are old.
            #expect(report.verdicts("latest ledger") == ["warn"])
            let text = try await stage.ask(["doctor"])
            #expect(text.log.contains("ok    version") && text.log.contains("0 failed"), "\(text.log)")
            #expect(text.lines.allSatisfy { $0.count <= 100 }, "\(text.log)")
            #expect(try await stage.fingerprint() == before)
            await live.close()
        }
    }

    @Test func eachFailureIsNamedWithWhatToDo() async throws {
        try await Stage.with { stage in
            func expect(
                _ name: String, _ verdict: String = "fail", says texts: [String], environment: [String: String] = [:],
                sourceLocation: SourceLocation = #_sourceLocation
            ) async throws {
                let program = try await stage.ask(
                    ["doctor", "--json"], environment: environment, exits: verdict == "fail" ? 1 : 0, sourceLocation: sourceLocation)
                let report = try Report(program)
                #expect(report.verdicts(name).contains(verdict), "\(program.log)", sourceLocation: sourceLocation)
                for text in texts { #expect(report.text(name).contains(text), "\(program.log)", sourceLocation: sourceLocation) }
            }
            try await expect(
                "network", says: ["somewhere else", "--network-passphrase"], environment: ["NETWORK_PASSPHRASE": "somewhere else"])
            try await expect("source", says: ["http://127.0.0.1:1"], environment: ["RPC_URL": "http://127.0.0.1:1/key"])
            try await expect("source", "warn", says: ["--rpc-url"], environment: ["RPC_URL": ""])
            try await expect("database", says: ["/nowhere", "--database-url"], environment: ["DATABASE_URL": "host=/nowhere dbname=x"])
            try await expect("temporary folder", says: ["TMPDIR"], environment: ["TMPDIR": "/nowhere"])
            try await expect("live ingestion", "warn", says: ["--network"], environment: ["NETWORK": ""])

            try await stage.connection.execute("UPDATE ingest_store SET value = '10' WHERE key = 'oldest_ingest_ledger'")
            try await expect("range", says: ["10-1019", "--datastore-bucket-path"])
            try await stage.connection.execute(
                "UPDATE ingest_store SET value = '1000' WHERE key = 'oldest_ingest_ledger'; "
                    + "INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', '5000')")
            try await expect("cursors", says: ["protocol_SEP41_history_cursor is 5000"])
            try await stage.connection.execute(
                "DELETE FROM ingest_store WHERE key LIKE 'protocol%'; UPDATE protocols SET history_migration_status = 'in_progress'; "
                    + "DROP INDEX idx_state_changes_operation_id")
            try await expect("locks", "warn", says: ["SEP41", "run it again"])
            try await expect("indexes", "warn", says: ["idx_state_changes_operation_id"])
            try await stage.connection.execute("ALTER TABLE state_changes DROP COLUMN to_muxed_id")
            try await expect("tables", says: ["state_changes.to_muxed_id"])
        }
    }

    @Test func aRoleWithoutRightsIsToldWhichItLacks() async throws {
        try await Stage.with { stage in
            let role = "doctor_\(stage.database.databaseName ?? "")"
            try await stage.connection.execute("CREATE ROLE \(role) LOGIN; GRANT SELECT ON protocols, ingest_store TO \(role)")
            let address = stage.databaseText.replacing("user=postgres", with: "user=\(role)")
            let report = try Report(try await stage.ask(["doctor", "--json"], environment: ["DATABASE_URL": address], exits: 1))
            #expect(Set(report.failed) == ["role, coordinator", "role, writer", "role, ingest"])
            #expect(report.verdicts("role, rebuild") == ["warn"])
            let remedy = "GRANT UPDATE ON ingest_store TO \(role); GRANT INSERT ON state_changes TO \(role)"
            #expect(report.text("role, writer").contains(remedy), "\(report.checks)")
            try await stage.connection.execute("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }

    @Test func tooFewOpenFilesFail() async throws {
        let program = RunningProgram.folder.appendingPathComponent("wallet-backend").path
        let run = try RunningProgram(
            executable: URL(fileURLWithPath: "/bin/sh"), ["-c", "ulimit -n 200; exec '\(program)' doctor --database-url host=/nowhere"])
        #expect(await run.exit() == 1, "\(run.log)")
        #expect(run.log.contains("fail  open files") && run.log.contains("ulimit -n 4096"), "\(run.log)")
    }
}
