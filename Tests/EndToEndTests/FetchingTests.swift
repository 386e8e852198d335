import AsyncHTTPClient
import Foundation
import PostgreSQL
import NIOCore
import TestSupport
import Testing

/// Without faults each ledger is fetched once, whoever needs it; workers may be started anywhere on the machine.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FetchingTests {
    struct Statistics: Decodable {
        let served: Int
        let distinct: Int
        let max: Int
    }

    /// What the simulator's server says that it has served.
    static func statistics(_ url: String) async throws -> Statistics {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url + "/stats"), timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 1 << 20)
        return try JSONDecoder().decode(Statistics.self, from: Data(body.readableBytesView))
    }

    @Test func eachLedgerIsFetchedOnceForAllProtocols() async throws {
        try await Stage.with { stage in
            try await stage.migrate(["--batch-size", "3"])
            let served = try await Self.statistics(stage.rpcURL)
            #expect(served.served == 20 && served.distinct == 20 && served.max == 1)
        }
    }

    /// A request ends when its rows are enough: what it does not come to must not have been asked for.
    @Test func eachLedgerIsFetchedOnceHoweverRichItIs() async throws {
        try await Fixture.withMade(seed: 25, count: 40, events: 3_000) { fixture in
            try await Stage.with(fixture) { stage in
                try await stage.migrate(["--batch-size", "1000"])
                let served = try await Self.statistics(stage.rpcURL)
                #expect(served.served == 40 && served.distinct == 40 && served.max == 1)
                #expect(try await stage.connection.query("SELECT count(*) FROM state_changes").first?[0] == "\(fixture.expected.count)")
            }
        }
    }

    /// The writer cannot commit, for as long as it takes: what is fetched meanwhile is bounded by the window, four batches of fifty here.
    @Test func whileTheWriterIsHeldUpNoMoreIsFetchedThanTheWindowHolds() async throws {
        try await Fixture.withMade(seed: 24, count: 600, events: 1) { fixture in
            try await Stage.with(fixture, simulatorArguments: ["--hold-from", "1000"]) { stage in
                let run = try stage.migration(["--batch-size", "50", "--fetchers", "1"])
                _ = try #require(await run.line(containing: "round begins"), "\(run.log)")
                let hand = try await stage.hand("SELECT FROM ingest_store WHERE key LIKE 'protocol%cursor' FOR UPDATE")
                try await stage.release()
                try await stage.untilWriterIsBlocked(run)
                try await until(.seconds(120), "200 ledgers to be served") {
                    try #require(kill(run.pid, 0) == 0, "\(run.log)")
                    return try await Self.statistics(stage.rpcURL).served >= 200
                }
                for _ in 0..<2 {
                    let lines = run.lines.count
                    _ = try #require(await run.line(from: lines) { $0.contains("progress") }, "\(run.log)")
                }
                let served = try await Self.statistics(stage.rpcURL).served
                #expect(served == 200, "\(run.log)")
                await hand.close()
                #expect(await run.exit() == 0, "\(run.log)")
                try await stage.expectComplete()
                let total = try await Self.statistics(stage.rpcURL)
                #expect(total.served == 600 && total.max == 1)
            }
        }
    }

    @Test func eachLedgerIsFetchedOnceWhereTheCursorsStandApart() async throws {
        try await Stage.with { stage in
            // SEP50 was migrated up to 1011 before, SEP41 up to 1004.
            try await stage.connection.execute(
                """
                INSERT INTO ingest_store VALUES ('protocol_SEP50_history_cursor', '1011'), ('protocol_SEP41_history_cursor', '1004')
                """)
            try await stage.migrate(["--batch-size", "4"])
            let served = try await Self.statistics(stage.rpcURL)
            #expect(served.served == 15 && served.distinct == 15 && served.max == 1)
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger > ($0.stateChangeID > 3 << 40 ? 1011 : 1004) })
        }
    }

    @Test func aCursorBelowTheOldestLedgerIsMovedForwardAndSaid() async throws {
        try await Stage.with { stage in
            try await stage.connection.execute(
                """
                UPDATE ingest_store SET value = '1010' WHERE key = 'oldest_ingest_ledger';
                INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', '1003')
                """)
            let run = try await stage.migrate(protocols: ["SEP41"])
            #expect(run.log.contains("moved forward from 1003 to 1009"), "\(run.log)")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger >= 1010 && $0.stateChangeID < 3 << 40 })
        }
    }

    @Test(arguments: ["ipc", "tcp"]) func workersStartedElsewhere(transport: String) async throws {
        try await Stage.with { stage in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("workers-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(at: folder) }
            let endpoint = transport == "ipc" ? "ipc://\(folder.path)/c" : "tcp://127.0.0.1:\(try freePort())"
            // Workers may come first: they wait for the coordinator.
            let fetcher = try RunningProgram("wallet-backend-fetcher", ["--endpoint", endpoint, "--rpc-url", stage.rpcURL])
            let writer = try RunningProgram(
                "wallet-backend-writer", ["--endpoint", endpoint], environment: ["DATABASE_URL": stage.databaseText])
            try await stage.migrate(["--fetchers", "0", "--endpoint", endpoint])
            try await stage.expectComplete()
            #expect(await fetcher.exit() == 0, "\(fetcher.log)")
            #expect(await writer.exit() == 0, "\(writer.log)")
        }
    }

    @Test func metricsTellTheRun() async throws {
        try await Stage.with { stage in
            let port = try freePort()
            let run = try stage.migration(["--metrics-port", "\(port)"], environment: ["NETWORK": ""])
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/metrics"), timeout: .seconds(30))
            let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
            for line in [
                "wallet_migration_current_ledger 1019", "wallet_migration_ledgers_total 20", "wallet_migration_target_tip 1019",
                "wallet_migration_cursor{protocol_id=\"SEP41\"} 1019", "wallet_migration_start_ledger{protocol_id=\"SEP50\"} 1000",
                "wallet_migration_status{protocol_id=\"SEP41\"} 0", "wallet_migration_phase_duration_seconds_count{phase=\"flush\"}",
            ] { #expect(text.contains(line), "\(text)") }
            run.send(SIGTERM)
            #expect(await run.exit() == 143)
        }
    }
}
