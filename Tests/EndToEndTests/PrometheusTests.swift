import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

/// A real Prometheus reads the metrics of a run's processes.
@Suite struct PrometheusTests {
    @Test(.enabled(if: WatchingTests.installed("prometheus") != nil, "no Prometheus")) func aRealPrometheusScrapesTheGroup() async throws {
        let ports = try (0..<4).map { _ in try freePort() }
        let targets = ports[1...].map { "'127.0.0.1:\($0)'" }.joined(separator: ", ")
        let configuration = """
            global: { scrape_interval: 200ms }
            scrape_configs: [{ job_name: wallet, static_configs: [{ targets: [\(targets)] }] }]
            """
        try await withFolder(["prometheus.yml": configuration]) { folder in
            try await Stage.with { stage in
                let endpoint = "ipc://\(folder)/c"
                let run = try stage.migration(
                    ["--fetchers", "0", "--endpoint", endpoint, "--metrics-port", "\(ports[1])"], environment: ["NETWORK": ""])
                let writer = try RunningProgram(
                    "wallet-backend-writer", ["--endpoint", endpoint, "--metrics-port", "\(ports[2])"],
                    environment: ["DATABASE_URL": stage.databaseText])
                let fetcher = try RunningProgram(
                    "wallet-backend-fetcher", ["--endpoint", endpoint, "--metrics-port", "\(ports[3])"],
                    environment: ["RPC_URL": stage.rpcURL])
                let prometheus = try RunningProgram(
                    executable: URL(fileURLWithPath: try #require(WatchingTests.installed("prometheus"))),
                    [
                        "--config.file=\(folder)/prometheus.yml", "--storage.tsdb.path=\(folder)/data",
                        "--web.listen-address=127.0.0.1:\(ports[0])",
                    ])
                _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
                for (query, value) in [
                    ("sum(up)", "3"), ("count(wallet_build_info)", "3"), ("wallet_migration_ledgers_total", "20"),
                    ("sum(wallet_writer_rows_total)", "\(stage.fixture.expected.count)"), ("wallet_fetcher_ledgers_total", "20"),
                ] {
                    try await until(.seconds(120), "Prometheus to know \(query)") {
                        try #require(kill(prometheus.pid, 0) == 0, "\(prometheus.log)")
                        return await Self.ask(query, ports[0]) == value
                    }
                }
                prometheus.send(SIGKILL)
                run.send(SIGTERM)
                #expect(await run.exit() == 143)
                #expect(await fetcher.exit() == 0, "\(fetcher.log)")
                #expect(await writer.exit() == 0, "\(writer.log)")
                _ = await prometheus.exit()
            }
        }
    }

    /// The value of an expression that has one; nil as long as it has none or the server does not respond yet.
    private static func ask(_ query: String, _ port: UInt16) async -> String? {
        var address = URLComponents(string: "http://127.0.0.1:\(port)/api/v1/query")
        address?.queryItems = [URLQueryItem(name: "query", value: query)]
        guard let url = address?.string,
            let response = try? await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30)),
            let body = try? await response.body.collect(upTo: 1 << 20),
            let answer = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any],
            let results = (answer["data"] as? [String: Any])?["result"] as? [[String: Any]], results.count == 1
        else { return nil }
        return (results[0]["value"] as? [Any])?.last as? String
    }
}
