import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import Operations
import Synchronization
import Testing

@Suite struct OperationsServerTests {
    private func get(_ path: String, port: Int) async throws -> (status: UInt, type: String?, body: String) {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"), timeout: .minutes(1))
        return (response.status.code, response.headers.first(name: "content-type"), String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    private func quiet() -> Logger { LogConfiguration(process: "test", level: .critical).makeLogger() }

    @Test func answersAndEndsOnCancellation() async throws {
        let registry = MetricsRegistry()
        registry.counter("x_total", help: "X.").add(3)
        let reasons = Mutex<[String]>(["no database", "no lease"])
        let server = OperationsServer(host: "127.0.0.1", port: 0, registry: registry, logger: quiet()) {
            let now = reasons.withLock { $0 }
            return now.isEmpty ? .ready : .notReady(now)
        }
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let running = Task {
            defer { listening.finish() }
            try await server.run { listening.yield($0) }
        }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let metrics = try await get("/metrics", port: port)
        #expect(metrics == (200, "text/plain; version=0.0.4; charset=utf-8", "# HELP x_total X.\n# TYPE x_total counter\nx_total 3\n"))
        #expect(try await get("/healthz", port: port).status == 200)
        let notReady = try await get("/readyz", port: port)
        #expect(notReady.status == 503)
        #expect(notReady.body == "not ready\nno database\nno lease\n")
        reasons.withLock { $0 = [] }
        #expect(try await get("/readyz", port: port).status == 200)
        #expect(try await get("/", port: port).status == 404)

        // A port that is taken is named.
        await #expect {
            try await OperationsServer(host: "127.0.0.1", port: port, registry: registry, logger: quiet()).run()
        } throws: {
            ($0 as? OperationsError)?.message.contains("127.0.0.1:\(port)") == true
        }

        running.cancel()
        try await running.value
        await #expect(throws: (any Error).self) { try await get("/healthz", port: port) }
    }
}
