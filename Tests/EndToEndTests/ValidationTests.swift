import Foundation
import Operations
import PostgreSQL
import TestSupport
import Testing

/// What is refused is refused before anything is written, and says why.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ValidationTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var setUp: String?
        var arguments: [String] = []
        var protocols = ["SEP50", "SEP41"]
        var environment: [String: String] = [:]
        let says: [String]
        var status: Int32 = 1
        var testDescription: String { name }
    }

    private static let cases = [
        Case(
            name: "not classified", setUp: "UPDATE protocols SET classification_status = 'in_progress' WHERE id = 'SEP41'",
            says: ["SEP41", "classification_status"]),
        Case(
            name: "not registered",
            setUp: "DELETE FROM protocol_contracts; DELETE FROM protocol_wasms; DELETE FROM protocols WHERE id = 'SEP50'",
            says: ["SEP50", "migrate up"]),
        Case(
            name: "ingestion has not started", setUp: "DELETE FROM ingest_store WHERE key = 'oldest_ingest_ledger'",
            says: ["ingestion has not started yet"]),
        Case(
            name: "oldest is 0", setUp: "UPDATE ingest_store SET value = '0' WHERE key = 'oldest_ingest_ledger'",
            says: ["ingestion has not started yet"]),
        Case(
            name: "oldest is no number", setUp: "UPDATE ingest_store SET value = 'x' WHERE key = 'oldest_ingest_ledger'",
            says: ["oldest_ingest_ledger", "x"]),
        Case(
            name: "another name of oldest", arguments: ["--oldest-ledger-cursor-name", "elsewhere"],
            says: ["elsewhere", "ingestion has not started yet"]),
        Case(
            name: "a cursor that is no number", setUp: "INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', 'soon')",
            says: ["protocol_SEP41_history_cursor", "soon"]),
        Case(
            name: "another network", environment: ["NETWORK_PASSPHRASE": "Public Global Stellar Network ; September 2015"],
            says: ["Public Global", "Standalone"]),
        Case(name: "a missing table", setUp: "DROP TABLE state_changes", says: ["state_changes"]),
        Case(name: "a missing column", setUp: "ALTER TABLE state_changes DROP COLUMN to_muxed_id", says: ["state_changes", "to_muxed_id"]),
        Case(
            name: "a column of another type", setUp: "ALTER TABLE state_changes ALTER COLUMN amount TYPE numeric USING amount::numeric",
            says: ["amount", "numeric"]),
    ]

    @Test(arguments: Self.cases) private func refusedAndNothingWritten(_ the: Case) async throws {
        try await Stage.with { stage in
            if let script = the.setUp { try await stage.connection.execute(script) }
            let before = try await fingerprint(stage)
            let run = try await stage.migrate(the.arguments, protocols: the.protocols, environment: the.environment, exits: the.status)
            for text in the.says { #expect(run.log.contains(text), "\(run.log)") }
            #expect(try await fingerprint(stage) == before)
            #expect(!run.log.contains(PrivatePostgres.password))
        }
    }

    private func fingerprint(_ stage: Stage) async throws -> String {
        // One of the cases has no such table.
        let there = try await stage.connection.query("SELECT to_regclass('state_changes') AS found").first?["found"] != nil
        return there ? try await stage.fingerprint() : "no table"
    }

    /// The time that something may still be on its way from a live ingestion that has just gone.
    @Test func theDefaultWaitIsFiveSeconds() async throws {
        try await Stage.with { stage in
            let run = try stage.migration(environment: ["CONVERGENCE_WAIT": ""])
            let line = try #require(await run.line(containing: "caught up"), "\(run.log)")
            #expect(line.contains("wait=\"5.0 seconds\""), "\(line)")
            run.send(SIGTERM)
            #expect(await run.exit() == 143, "\(run.log)")
        }
    }

    @Test func aCompleteHistoryIsSkippedAndNothingWritten() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("UPDATE protocols SET history_migration_status = 'success'")
            let before = try await stage.fingerprint()
            let run = try await stage.migrate()
            #expect(run.log.contains("nothing to migrate"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func aSecondMigrationOfTheSameProtocolNamesTheFirstAndTouchesNothing() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let first = try stage.migration(["--batch-size", "1"])
            try await stage.untilHeld(first)
            let before = try await stage.fingerprint()
            let second = try await stage.migrate(protocols: ["SEP41"], exits: 1)
            let host = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8).filter { !$0.isNewline }
            // The server keeps 63 bytes of a session's name.
            let name = String("wallet-backend migration \(ProgramVersion.text), pid \(first.pid) on \(host)".prefix(63))
            #expect(second.log.contains(name), "\(second.log)")
            #expect(try await stage.fingerprint() == before)
            try await stage.release()
            #expect(await first.exit() == 0, "\(first.log)")
            try await stage.expectComplete()
        }
    }

    /// Before anything is written, and with the ranges whole.
    @Test func ledgersThatTheRPCDoesNotHaveAreRefusedFirstAndBothRangesAreNamed() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("UPDATE ingest_store SET value = '10' WHERE key = 'oldest_ingest_ledger'")
            let before = try await stage.fingerprint()
            let run = try await stage.migrate(exits: 1)
            #expect(run.log.contains("10-1019") && run.log.contains("1000-1019"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    /// An RPC may serve older ledgers than it tells: it is asked for the first one.
    @Test func anRPCThatTellsLessThanItHasIsNotRefused() async throws {
        try await Stage.with(simulatorArguments: ["--tell-oldest", "1010"]) { stage in
            try await stage.migrate()
            try await stage.expectComplete()
        }
    }

    @Test(
        arguments: [
            (["--batch-size", "0"], [:], "--batch-size"), (["--fetchers", "many"], [:], "--fetchers"),
            ([], ["BATCH_SIZE": "-1"], "BATCH_SIZE"), ([], ["CONVERGENCE_WAIT": "soon"], "CONVERGENCE_WAIT"),
            (["--rpc-url", "ftp://x"], [:], "--rpc-url"), (["--endpoint", "tcp://192.0.2.1:7000"], [:], "--endpoint"),
            (["--metrics-port", "70000"], [:], "--metrics-port"), ([], ["LOG_LEVEL": "loud"], "LOG_LEVEL"),
            (["--fetchers", "0"], [:], "--endpoint"), (["--protocol-id", "SEP99"], [:], "--protocol-id"),
            ([], ["DATABASE_URL": "postgresql://user:never-to-be-shown@host:port/"], "DATABASE_URL"),
            ([], ["DATABASE_URL": ""], "--database-url"),
            ([], ["RPC_URL": ""], "--rpc-url"), ([], ["NETWORK_PASSPHRASE": ""], "--network-passphrase"),
            (["--nonsense"], [:], "--nonsense"),
        ] as [([String], [String: String], String)])
    func wrongUsageExits64AndNamesTheFlag(arguments: [String], environment: [String: String], flag: String) async throws {
        var settings = ["DATABASE_URL": "postgresql:///nowhere", "RPC_URL": "http://127.0.0.1:1", "NETWORK_PASSPHRASE": "x"]
        settings.merge(environment) { $1 }
        let run = try RunningProgram(
            "wallet-backend", ["protocol-migrate", "history", "--protocol-id", "SEP41"] + arguments, environment: settings)
        #expect(await run.exit() == 64, "\(run.log)")
        #expect(run.log.contains(flag), "\(run.log)")
        #expect(!run.log.contains(PrivatePostgres.password), "\(run.log)")
    }
}
