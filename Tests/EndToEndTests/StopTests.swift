import Foundation
import PostgreSQL
import TestSupport
import Testing

/// Whatever is stopped or killed, whenever: the final rows are those of an undisturbed run.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StopTests {
    private static let small = ["--batch-size", "1", "--log-level", "debug"]

    @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
    func aSignalEndsTheRunInOrderAndTheNextRunCompletesIt(signal: Int32, status: Int32) async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let first = try stage.migration(Self.small)
            try await stage.untilHeld(first)
            first.send(signal)
            #expect(await first.exit() == status, "\(first.log)")
            #expect(try await stage.status("SEP41") == "failed")
            #expect(try await stage.cursor("SEP41") == "1009")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= 1009 })
            #expect(first.log.contains("migrated_through=1009 outcome=STOPPED protocol=SEP41"), "\(first.log)")
            try await stage.release()
            try await stage.migrate()
            try await stage.expectComplete()
        }
    }

    @Test func aFetcherThatIsKilledWhileItFetchesIsReplacedAndNothingIsLost() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            kill(try await Self.worker("fetcher", of: run), SIGKILL)
            _ = try #require(await run.line(containing: "starting it again"), "\(run.log)")
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    @Test func aWriterThatIsKilledInItsTransactionIsReplacedAndNothingIsLostOrTwice() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            let hand = try await stage.stopWriterInTransaction(run)
            kill(try await Self.worker("writer", of: run), SIGKILL)
            _ = try #require(await run.line(containing: "starting it again"), "\(run.log)")
            // Its transaction may still be under way: the new one waits for the end of its session.
            let waiting = try #require(await run.line(containing: "waiting for a session to end that holds a lock"), "\(run.log)")
            #expect(
                waiting.contains("wallet-backend-writer-protocol_SEP") && waiting.contains("wallet-backend writer (server process"),
                "\(waiting)")
            await hand.close()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// The writer goes between the moment at which it was ready and the beginning of the round: the snapshot of the round is what takes its time here.
    @Test func aWriterThatIsLostBeforeItsRoundBeginsIsWaitedForAnew() async throws {
        try await Stage.with { stage in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("workers-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(at: folder) }
            let endpoint = "ipc://\(folder.path)/c"
            func writer() throws -> RunningProgram {
                try RunningProgram("wallet-backend-writer", ["--endpoint", endpoint], environment: ["DATABASE_URL": stage.databaseText])
            }
            let hand = try await stage.hand("LOCK TABLE protocol_contracts")
            let run = try stage.migration(["--fetchers", "0", "--endpoint", endpoint])
            let fetcher = try RunningProgram("wallet-backend-fetcher", ["--endpoint", endpoint, "--rpc-url", stage.rpcURL])
            let first = try writer()
            try await stage.reach(
                """
                EXISTS (SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
                        WHERE a.datname = current_database() AND a.application_name LIKE 'wallet-backend migration%' AND NOT l.granted)
                """, run)
            first.send(SIGTERM)
            _ = try #require(
                await run.line { $0.contains("worker lost") && $0.contains("role=writer") && $0.contains("it has ended by its own will") },
                "\(run.log)")
            await hand.close()
            let second = try writer()
            #expect(await run.exit() == 0, "\(run.log)")
            for program in [first, second, fetcher] { #expect(await program.exit() == 0, "\(program.log)") }
            try await stage.expectComplete()
        }
    }

    /// A worker that hangs holds its lease, or the writer's lock, as long as it lives.
    @Test(arguments: ["fetcher", "writer"]) func aWorkerThatHangsIsKilledAndReplaced(role: String) async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small + ["--fetchers", "1"])
            try await stage.untilHeld(run)
            try await suspendProcess(try await Self.worker(role, of: run))
            try await stage.release()
            _ = try #require(await run.line(containing: "nothing was heard of it"), "\(run.log)")
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    /// Its workers give it up, and find it again.
    @Test func aCoordinatorThatStandsStillForAWhileGoesOn() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small + ["--fetchers", "1"])
            try await stage.untilHeld(run)
            try await run.suspend()
            for role in ["fetcher", "writer"] {
                _ = try #require(
                    await run.line {
                        $0.contains("registering anew") && $0.contains("process=\(role)") && $0.contains("nothing was heard")
                    },
                    "\(run.log)")
            }
            run.resume()
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(!run.log.contains("starting it again"), "nobody had died: \(run.log)")
            try await stage.expectComplete()
        }
    }

    @Test func aKilledCoordinatorTakesItsWorkersWithItAndTheNextRunResumes() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            run.send(SIGKILL)
            #expect(await run.exit() == 128 + SIGKILL)
            try await stage.release()
            try await stage.migrate()
            let left = try FileManager.default.contentsOfDirectory(atPath: FileManager.default.temporaryDirectory.path)
            #expect(!left.contains { $0.hasPrefix("wallet-backend-\(run.pid)-") }, "temporary sockets go, at the latest with the next run")
            try await stage.expectComplete()
            // The first run's workers hold connections and locks only as long as they live.
            try await stage.connection.waitUntil(
                "NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'wallet-backend%')"
            )
        }
    }

    @Test func aDatabaseThatCrashesInTheWritersTransactionCostsNoRow() async throws {
        let server = try await PrivatePostgres.start()
        try await Stage.with(server: server, simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            let hand = try await stage.stopWriterInTransaction(run)
            try await server.stop(.immediate)
            _ = try #require(await run.line(containing: "database not reached"), "\(run.log)")
            await hand.close()
            try await server.start()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.reconnected().expectComplete()
        }
    }

    @Test func anRPCThatFailsNowAndThenCostsNoRow() async throws {
        try await Stage.with(simulatorArguments: ["--faults", "503,429,-32603,empty-page,cut-body,drop,wrong-hash,broken-chain"]) { stage in
            try await stage.migrate(["--batch-size", "3"])
            try await stage.expectComplete()
        }
    }

    /// The process id of the first worker of a role, from the log.
    private static func worker(_ role: String, of run: RunningProgram) async throws -> Int32 {
        let line = try #require(await run.line { $0.contains("worker started") && $0.contains("role=\(role)") }, "\(run.log)")
        return try #require(line.split(separator: " ").first { $0.hasPrefix("worker_pid=") }.flatMap { Int32($0.dropFirst(11)) }, "\(line)")
    }
}
