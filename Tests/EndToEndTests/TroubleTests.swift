import Foundation
import PostgreSQL
import TestSupport
import Testing

/// What goes wrong inside of the run's own surroundings: ledgers that kill, servers that refuse or hang, contracts by the thousand.
@Suite(.serialized, .timeLimit(.minutes(5))) struct TroubleTests {
    private static let small = ["--batch-size", "4", "--log-level", "debug"]

    // MARK: poison

    /// Every fetcher that gets hold of a certain ledger dies: the run ends and names it, and nothing before it is lost.
    @Test func aLedgerThatKillsFetchersIsNamed() async throws {
        try await Stage.with(simulatorArguments: ["--hold-from", "1013"]) { stage in
            let run = try stage.migration(Self.small + ["--fetchers", "2"])
            var seen = 0
            var killed: Set<Int32> = []
            // "batches leased" tells which worker has the ledger; "worker registered" tells its process.
            while let line = await run.line(from: seen, where: { $0.contains("batches leased") || $0.contains("migration stopped") }) {
                if line.contains("migration stopped") { break }
                let lines = run.lines
                seen = (lines[seen...].firstIndex(of: line) ?? seen) + 1
                guard Self.ledgers(line).contains(where: { $0.contains(1013) }), let worker = Self.field("worker", line),
                    let registered = lines.last(where: { $0.contains("worker registered") && Self.field("worker", $0) == worker }),
                    let pid = Self.field("worker_pid", registered).flatMap({ Int32($0) }), killed.insert(pid).inserted
                else { continue }
                kill(pid, SIGKILL)
            }
            #expect(await run.exit() == 1, "\(run.log)")
            let cause = try #require(run.lines.last { $0.contains("migration stopped") }, "\(run.log)")
            #expect(cause.contains("ledger 1013") && cause.contains("died"), "\(cause)")
            #expect(killed.count < 15, "halving finds it: \(killed.count) fetchers had to die")
            #expect(try await stage.status("SEP41") == "failed")
            let cursor = try #require(try await stage.cursor("SEP41").flatMap { Int($0) })
            #expect(cursor <= 1012)
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= cursor })
        }
    }

    /// The value of a field of a log line.
    private static func field(_ name: String, _ line: String) -> String? {
        line.split(separator: " ").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    /// The ranges in `batches="3:1012-1015 4:1016-1019"`.
    private static func ledgers(_ line: String) -> [ClosedRange<Int>] {
        line.split { " =\"".contains($0) }.compactMap { word in
            let parts = word.split { ":-".contains($0) }.compactMap { Int($0) }
            return parts.count == 3 && word.contains(":") && parts[1] <= parts[2] ? parts[1]...parts[2] : nil
        }
    }

    @Test func aLedgerOfAnUnknownVersionEndsTheRunAtOnceAndIsNamed() async throws {
        try await Stage.with(simulatorArguments: ["--unknown-version", "1007"]) { stage in
            let run = try await stage.migrate(["--batch-size", "2"], exits: 1)
            #expect(run.log.contains("1007") && run.log.contains("version"), "\(run.log)")
            #expect(run.lines(containing: "it goes out again").isEmpty, "a repetition cannot help: \(run.log)")
            #expect(try await stage.status("SEP41") == "failed")
            let cursor = try #require(try await stage.cursor("SEP41").flatMap { Int($0) })
            #expect(cursor <= 1006)
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= cursor })
        }
    }

    // MARK: the server

    /// An administrator cancels the writer's statement: less is tried at once, or the round is interrupted, and the run goes on.
    @Test func aStatementThatTheServerCancelsIsNoEnd() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(["--batch-size", "1", "--log-level", "debug"])
            let hand = try await stage.stopWriterInTransaction(run)
            for _ in 0..<2 {
                let lines = run.lines.count
                try await stage.connection.query(
                    """
                    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'wallet-backend writer%'
                    """)
                let line = await run.line(from: lines) { $0.contains("round interrupted") || $0.contains("transaction cut off") }
                _ = try #require(line, "\(run.log)")
                try await stage.untilWriterIsBlocked(run)
            }
            await hand.close()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// The server's, the role's or the database's limits are not the writer's: a COPY may take long.
    @Test func aStatementTimeoutOfTheDatabaseDoesNotEndACommitThatTakesLonger() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            try await stage.connection.query(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''300ms''', current_database()); END $$")
            let run = try stage.migration(["--batch-size", "1", "--log-level", "debug"])
            let hand = try await stage.stopWriterInTransaction(run)
            // As long as it takes until a statement of another session has met the limit, twice over.
            let other = try await PostgresConnection.connect(stage.database, applicationName: "other")
            for _ in 0..<2 {
                await #expect(throws: PostgresError.self) { try await other.query("SELECT pg_sleep(60)") }
            }
            await hand.close()
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.lines(containing: "round interrupted").isEmpty, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// The server stands still, with every session in it: a signal ends the run all the same, within ten seconds.
    @Test func aServerThatStandsStillDoesNotKeepTheRunFromEnding() async throws {
        let server = try await PrivatePostgres.start()
        try await Stage.with(server: server, simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(["--batch-size", "1"])
            let hand = try await stage.stopWriterInTransaction(run)
            try await server.pause()
            let began = ContinuousClock.now
            run.send(SIGTERM)
            #expect(await run.exit() == 143, "\(run.log)")
            // Ten seconds are the promise; the rest is for a machine that is busy with other tests.
            #expect(ContinuousClock.now - began < .seconds(30), "\(run.log)")
            try await server.resume()
            await hand.close()
            try await stage.release()
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'wallet-backend%')")
            try await stage.migrate()
            try await stage.expectComplete()
        }
    }

    @Test func aSecondSignalEndsTheRunAtOnce() async throws {
        let server = try await PrivatePostgres.start()
        try await Stage.with(server: server, simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(["--batch-size", "1"])
            let hand = try await stage.stopWriterInTransaction(run)
            run.send(SIGTERM)
            _ = try #require(await run.line(containing: "stopping: the writer finishes its transaction"), "\(run.log)")
            run.send(SIGTERM)
            #expect(await run.exit() == 143, "\(run.log)")
            await hand.close()
            try await stage.migrate()
            try await stage.expectComplete()
        }
    }

    // MARK: contracts

    /// The contracts of a protocol by the hundred thousand, beside those of the fixture: they reach every fetcher, and nobody is lost over it.
    @Test func aHundredThousandContractsHoldNobodyUp() async throws {
        try await Stage.with { stage in
            try await stage.connection.query(
                """
                INSERT INTO protocol_contracts(contract_id, wasm_hash)
                SELECT sha256(n::text::bytea), sha256('SEP41'::bytea) FROM generate_series(1, 100000) n
                """)
            let run = try await stage.migrate(["--fetchers", "6", "--batch-size", "1"])
            #expect(run.log.contains("SEP41=100"), "\(run.log)")
            #expect(run.lines(containing: "worker lost").isEmpty, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    @Test func contractIDsThatAreNone32BytesFailTheRunAndAreNamed() async throws {
        try await Stage.with { stage in
            try await stage.connection.query(
                "INSERT INTO protocol_contracts(contract_id, wasm_hash) VALUES ('\\xabcdef', sha256('SEP41'::bytea))")
            let run = try await stage.migrate(exits: 1)
            #expect(run.log.contains("abcdef") && run.log.contains("32 bytes"), "\(run.log)")
            try await stage.expectRows([])
        }
    }

    // MARK: secrets and folders

    /// A fetcher has no business with the database, nor the writer with the RPC: what each gets is in its environment.
    @Test func eachWorkerGetsItsOwnSecretsOnly() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(
                ["--batch-size", "1"], environment: ["PGPASSWORD": PrivatePostgres.password, "PGAPPNAME": PrivatePostgres.password])
            try await stage.untilHeld(run)
            for (role, own, other) in [("fetcher", "RPC_URL=", "DATABASE_URL="), ("writer", "DATABASE_URL=", "RPC_URL=")] {
                let line = try #require(run.lines.first { $0.contains("worker started") && $0.contains("role=\(role)") }, "\(run.log)")
                let pid = try #require(Self.field("worker_pid", line))
                let environment = String(decoding: try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ")), as: UTF8.self)
                    .split(separator: "\0").map(String.init)
                #expect(environment.contains { $0.hasPrefix(own) } && !environment.contains { $0.hasPrefix(other) }, "\(role)")
                if role == "fetcher" { #expect(!environment.contains { $0.contains(PrivatePostgres.password) }) }
            }
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
        }
    }

    // MARK: memory

    /// Rich ledgers in large batches: what is in flight, decoded, delivered and not yet committed is bounded in bytes from the first batch on.
    @Test func largeBatchesOfRichLedgersStayWithinTheirMemory() async throws {
        try await Fixture.withMade(seed: 41, count: 300, events: 600) { fixture in
            try await Stage.with(fixture) { stage in
                let run = try stage.migration(["--batch-size", "10000", "--log-level", "debug"])
                var peaks: [String: Int] = [:]
                try await until(.seconds(240), "the end of the round") {
                    for line in run.lines where line.contains("worker started") {
                        guard let pid = Self.field("worker_pid", line), let role = Self.field("role", line),
                            let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
                            let peak = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM") })
                        else { continue }
                        peaks[role] = max(peaks[role] ?? 0, peak.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0)
                    }
                    return kill(run.pid, 0) != 0 || run.lines.contains { $0.contains("round complete") }
                }
                #expect(await run.exit() == 0, "\(run.log)")
                for role in ["fetcher", "writer"] {
                    let kilobytes = try #require(peaks[role])
                    #expect(kilobytes < 300 << 10, "\(role): \(kilobytes) kB")
                }
                #expect(try await stage.connection.query("SELECT count(*) FROM state_changes").first?[0] == "\(fixture.expected.count)")
            }
        }
    }
}
