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
        return (
            response.status.code, response.headers.first(name: "content-type"),
            String(buffer: try await response.body.collect(upTo: 1 << 20))
        )
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
        let (running, port) = try await start(server)
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

        // Cancelled, it ends and gives its port back.
        running.cancel()
        try await running.value
        let (again, samePort) = try await start(OperationsServer(host: "127.0.0.1", port: port, registry: registry, logger: quiet()))
        #expect(samePort == port)
        again.cancel()
        try await again.value
    }

    @Test func aPageOnLoopbackIsForItsOwnHostOnly() {
        for name in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"] {
            #expect(OperationsServer.isMeant(name, listeningOn: "127.0.0.1"), "\(name)")
        }
        for name in ["evil.example", "127.0.0.1.evil.example:8080", "[::2]:1", ""] {
            #expect(!OperationsServer.isMeant(name, listeningOn: "127.0.0.1"), "\(name)")
            #expect(OperationsServer.isMeant(name, listeningOn: "0.0.0.0"), "whoever opens it to others knows by which name: \(name)")
        }
    }

    private func start(_ server: OperationsServer) async throws -> (Task<Void, any Error>, port: Int) {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let running = Task {
            defer { listening.finish() }
            try await server.run { listening.yield($0) }
        }
        var iterator = ports.makeAsyncIterator()
        return (running, try #require(await iterator.next()))
    }
}
