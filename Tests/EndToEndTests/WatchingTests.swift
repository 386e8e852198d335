import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Operations
import TestSupport
import Testing

/// What an operator sees of a run while it goes on.
@Suite struct WatchingTests {
    private static func get(_ port: UInt16, _ path: String) async throws -> (type: String?, body: String) {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"), timeout: .seconds(60))
        #expect(response.status == .ok, "\(path)")
        return (response.headers.first(name: "content-type"), String(buffer: try await response.body.collect(upTo: 4 << 20)))
    }

    /// The samples of an exposition, by name with labels.
    private static func samples(_ text: String) -> [String: Double] {
        var samples: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            samples[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return samples
    }

    /// What Prometheus' own tool says of an exposition; nothing where it is not installed.
    private static func check(_ text: String) async throws {
        guard let tool = installed("promtool") else { return }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("metrics-\(UUID().uuidString)")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let program = try RunningProgram(
            executable: URL(fileURLWithPath: "/bin/sh"), ["-c", "exec \(tool) check metrics < \(file.path)"])
        #expect(await program.exit() == 0, "\(program.log)")
        #expect(program.lines.isEmpty, "\(program.log)")
    }

    static func installed(_ program: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The group started by hand, each process with metrics of its own; the numbers after the run are those of the run.
    @Test func everyProcessTellsItsMetrics() async throws {
        try await withFolder { folder in
            try await Stage.with { stage in
                let ports = try (0..<3).map { _ in try freePort() }
                let endpoint = "ipc://\(folder)/c"
                let run = try stage.migration(
                    ["--fetchers", "0", "--endpoint", endpoint, "--metrics-port", "\(ports[0])"], environment: ["NETWORK": ""])
                let writer = try RunningProgram(
                    "wallet-backend-writer", ["--endpoint", endpoint, "--metrics-port", "\(ports[1])"],
                    environment: ["DATABASE_URL": stage.databaseText])
                let fetcher = try RunningProgram(
                    "wallet-backend-fetcher", ["--endpoint", endpoint, "--metrics-port", "\(ports[2])"],
                    environment: ["RPC_URL": stage.rpcURL])
                _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
                let rows = Double(stage.fixture.expected.count)

                let coordinator = try await Self.get(ports[0], "/metrics").body
                try await Self.check(coordinator)
                let told = Self.samples(coordinator)
                #expect(told["wallet_migration_ledgers_total"] == 20)
                #expect(told["wallet_migration_worker_registrations_total{role=\"fetcher\"}"] == 1)
                #expect(told["wallet_migration_rounds_total"] == 1)
                #expect(["SEP41", "SEP50"].reduce(0) { $0 + (told["wallet_migration_rows_total{protocol_id=\"\($1)\"}"] ?? 0) } == rows)
                #expect(told["wallet_migration_leases_expired_total"] == 0 && told["wallet_migration_batch_failures_total"] == 0)
                #expect(told["wallet_build_info{version=\"\(ProgramVersion.text)\"}"] == 1)

                // What is looked at once a second: in the end everything is done, and nothing waits.
                try await until(.seconds(60), "the numbers of a run that is over") {
                    let told = Self.samples(try await Self.get(ports[0], "/metrics").body)
                    let waiting = ["batches_in_flight", "window_ledgers", "reorder_ledgers", "reorder_bytes"].map {
                        told["wallet_migration_\($0)"]
                    }
                    let workers = ["fetcher", "writer"].map { told["wallet_migration_workers{role=\"\($0)\"}"] }
                    return told["wallet_migration_phase_duration_seconds_count{phase=\"extract\"}"] == 20 && waiting.allSatisfy { $0 == 0 }
                        && workers.allSatisfy { $0 == 1 }
                }
                let fetched = try await Self.get(ports[2], "/metrics").body
                try await Self.check(fetched)
                let fetches = Self.samples(fetched)
                #expect(fetches["wallet_fetcher_ledgers_total"] == 20 && fetches["wallet_fetcher_decode_duration_seconds_count"] == 20)
                #expect((fetches["wallet_fetcher_request_duration_seconds_count"] ?? 0) >= 1)
                #expect((fetches["wallet_fetcher_response_bytes_total"] ?? 0) > 1000 && fetches["wallet_fetcher_registrations_total"] == 1)

                let written = try await Self.get(ports[1], "/metrics").body
                try await Self.check(written)
                let writes = Self.samples(written)
                #expect(["SEP41", "SEP50"].reduce(0) { $0 + (writes["wallet_writer_rows_total{protocol_id=\"\($1)\"}"] ?? 0) } == rows)
                #expect(writes["wallet_writer_ledgers_total"] == 20 && writes["wallet_writer_reorder_bytes"] == 0)
                #expect((writes["wallet_writer_commit_duration_seconds_count"] ?? 0) >= 1)
                for port in ports { #expect(try await Self.get(port, "/readyz").body == "ready\n") }

                run.send(SIGTERM)
                #expect(await run.exit() == 143)
                #expect(await fetcher.exit() == 0, "\(fetcher.log)")
                #expect(await writer.exit() == 0, "\(writer.log)")
                #expect(fetcher.lines.contains { $0.contains("process=fetcher-") && $0.contains("run=") }, "\(fetcher.log)")
            }
        }
    }

    /// In the middle of a run: the page, its data, and what a browser makes of them.
    @Test func thePageShowsTheRun() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let port = try freePort()
            let run = try stage.migration(["--batch-size", "1", "--status-port", "\(port)", "--log-format", "json"])
            try await stage.untilHeld(run)
            // Told once a second.
            try await until(.seconds(60), "the status of ten ledgers") {
                try #require(kill(run.pid, 0) == 0, "\(run.log)")
                return try await Self.status(port)["committed_ledgers"] as? Int == 10
            }
            let status = try await Self.status(port)
            #expect(status["phase"] as? String == "round")
            let protocols = try #require(status["protocols"] as? [[String: Any]])
            #expect(protocols.compactMap { $0["id"] as? String }.sorted() == ["SEP41", "SEP50"])
            #expect(protocols.allSatisfy { $0["cursor"] as? Int == 1009 && $0["total"] as? Int == 20 && $0["done"] as? Int == 10 })
            #expect((status["fetchers"] as? [Any])?.count == 2)
            let page = try await Self.get(port, "/")
            #expect(page.type == "text/html; charset=utf-8" && page.body.contains("</html>"))

            if let browser = Self.installed("chromium") ?? Self.installed("chromium-browser") {
                let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("StatusPage/check-page.py")
                let check = try RunningProgram(
                    executable: URL(fileURLWithPath: "/usr/bin/env"),
                    [
                        "python3", script.path, "http://127.0.0.1:\(port)/", "--expect-protocol", "SEP41", "--expect-protocol", "SEP50",
                        "--expect-fetchers", "2", "--timeout", "300", "--chromium", browser,
                    ])
                #expect(await check.exit() == 0, "\(check.log)")
            }
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.lines.allSatisfy { $0.hasPrefix("{") }, "\(run.log)")
            #expect(run.lines.contains { $0.contains("\"msg\":\"migration over\"") && $0.contains("\"run\":") }, "\(run.log)")
            try await stage.expectComplete()
        }
    }

    private static func status(_ port: UInt16) async throws -> [String: Any] {
        let (type, body) = try await get(port, "/status")
        #expect(type == "application/json; charset=utf-8")
        return try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
    }

    /// A port that is taken ends the run before anything is written, and says which.
    @Test func aPortThatIsTakenIsNamed() async throws {
        try await Stage.with { stage in
            let port = try #require(UInt16(stage.rpcURL.split(separator: ":").last.map { $0.prefix { $0.isNumber } } ?? ""))
            let run = try await stage.migrate(["--status-port", "\(port)"], exits: 1)
            #expect(run.lines.contains { $0.contains("status page cannot be served on 127.0.0.1:\(port)") }, "\(run.log)")
        }
    }

    /// On a terminal: a block below the log, which loses nothing and is gone at the end; `script` gives the program its terminal.
    @Test(.enabled(if: WatchingTests.installed("script") != nil, "no script(1)"))
    func onATerminalThereIsABlock() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let program = RunningProgram.folder.appendingPathComponent("wallet-backend").path
            let run = try RunningProgram(
                executable: URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "script", "--quiet", "--return", "--command",
                    "stty cols 100 rows 30; exec \(program) protocol-migrate history --protocol-id SEP50 SEP41 --batch-size 1", "/dev/null",
                ],
                environment: [
                    "DATABASE_URL": stage.databaseText, "RPC_URL": stage.rpcURL, "NETWORK_PASSPHRASE": Stage.passphrase, "NETWORK": "test",
                    "CONVERGENCE_WAIT": "0.2", "TERM": "xterm", "LANG": "C.UTF-8",
                ])
            _ = try #require(await run.line(containing: "10/20 ledgers"), "\(run.log)")
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            // A worker's own lines come through the coordinator.
            #expect(run.lines.contains { $0.contains("fetcher ends") }, "\(run.log)")
            let last = try #require(run.lines.lastIndex { $0.contains("migration over") }, "\(run.log)")
            #expect(!run.lines[last...].contains { $0.contains("━") }, "\(run.log)")
            try await stage.expectComplete()
        }
    }
}
