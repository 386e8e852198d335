import LedgerSources
import Logging
import StellarXDR
import TestSupport
import Testing

/// What a repetition does not mend is refused at once, with words that say what is wrong.
struct RPCRefusalTests {
    @Test(
        arguments: [
            (.rpcError(-32601, "method not found"), .methodNotFound, "does not know the method"),
            (.rpcError(-32602, "invalid parameters"), .invalidRequest, "invalid parameters (JSON-RPC -32602)"),
            (.rpcError(-32600, "invalid request"), .invalidRequest, "invalid request (JSON-RPC -32600)"),
            (.rpcError(-32700, "parse error"), .invalidRequest, "parse error"),
            (.response(status: 401), .refused, "HTTP 401"), (.response(status: 403, body: Array("no key".utf8)), .refused, "no key"),
            (.response(status: 404), .refused, "no RPC at the URL's path"), (.response(status: 400), .refused, "HTTP 400"),
            (.response(status: 301, headers: ["location": "http://elsewhere/?key=secret"]), .refused, "redirects"),
            (.json(#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad limit"}}"#, status: 400), .invalidRequest, "bad limit"),
        ] as [(Reply, LedgerSourceError.Code, String)])
    func `refusals are not tried again`(_ reply: Reply, _ code: LedgerSourceError.Code, _ words: String) async throws {
        let clock = ManualClock()
        try await LocalService.run(then: { _ in reply }) { server, port in
            let error = await withClientFailure(port, clock: clock) { rpc throws(LedgerSourceError) in
                try await rpc.fetched(from: 1000, limit: 2)
            }
            #expect(error?.code == code)
            #expect(error?.isTransient == false)
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
            #expect(error?.description.contains("secret") == false)
            #expect(server.seen.count == 1)
        }
        #expect(clock.sleeps.isEmpty)
    }

    @Test func `a start before the retention names both ranges`() async throws {
        let reply = Reply.rpcError(
            -32600, "start ledger (1000) must be between the oldest ledger: 5000 and the latest ledger: 125960 for this rpc instance.")
        try await LocalService.run(then: { _ in reply }) { server, port in
            let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 5) }
            #expect(error?.code == .outsideRetention)
            #expect(error?.description.contains("1000-1004") == true)
            #expect(error?.description.contains("5000-125960") == true)
            #expect(server.seen.count == 1)
        }
    }

    @Test func `a limit that the server refuses is learned`() async throws {
        var options = RPCOptions()
        options.pageSizer = PageSizer(targetBytes: 1 << 30)
        try await LocalService.run([.rpcError(-32602, "limit must not exceed 4")], then: SampleLedgers.serve) { [options] server, port in
            try await withClient(port, options: options) { rpc in
                try await rpc.expect(1000...1003, from: 1000, limit: 200)
                try await rpc.expect(1004...1007, from: 1004, limit: 200)
                #expect(rpc.requestLength(from: 1008, of: 200) == 4)
            }
            #expect(server.seen.map { $0.asked?.limit } == [200, 4, 4])
        }
    }

    @Test func `the network must be the one expected`() async throws {
        let reply = Reply.json(#"{"jsonrpc":"2.0","id":1,"result":{"passphrase":"Test Net","protocolVersion":23}}"#)
        try await LocalService.run(then: { _ in reply }) { _, port in
            try await withClient(port) { try await $0.requireNetwork("Test Net") }
            let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.requireNetwork("Public Net") }
            #expect(error?.code == .wrongNetwork)
            #expect(error?.description.contains("\"Test Net\"") == true)
            #expect(error?.description.contains("\"Public Net\"") == true)
        }
    }

    private static func health(_ oldest: UInt32?) -> Reply {
        let oldest = oldest.map { #","oldestLedger":\#($0)"# } ?? ""
        return .json(#"{"jsonrpc":"2.0","id":1,"result":{"latestLedger":1019\#(oldest)}}"#)
    }

    @Test(
        arguments: [(1000...1019, 1000), (1005...1005, 1000), (1019...5000, 1000), (1500...1600, 1000)] as [(ClosedRange<UInt32>, UInt32)])
    func `ledgers that the server says it has, or will have, are not asked for`(_ needed: ClosedRange<UInt32>, _ oldest: UInt32)
        async throws
    {
        try await LocalService.run(then: { _ in Self.health(oldest) }) { server, port in
            let latest = try await withClient(port) { try await $0.requireLedgers(needed) }
            #expect(latest == 1019)
            #expect(server.seen.count == 1)
        }
    }

    @Test(arguments: [1010, nil] as [UInt32?])
    func `a server may have older ledgers than it says`(_ told: UInt32?) async throws {
        try await LocalService.run([Self.health(told)], then: SampleLedgers.serve) { server, port in
            let latest = try await withClient(port) { try await $0.requireLedgers(1000...1019) }
            #expect(latest == 1019)
            #expect(server.seen.compactMap(\.asked).map { [Int($0.start), $0.limit] } == [[1000, 1]])
        }
    }

    @Test(
        arguments: [
            .rpcError(
                -32600, "start ledger (990) must be between the oldest ledger: 1000 and the latest ledger: 1019 for this rpc instance"),
            .json(SampleLedgers.response([])), (try? .json(SampleLedgers.response(1000...1000))) ?? .close,
        ] as [Reply])
    func `a range that the server does not have is refused whole, once it has been asked for the first ledger`(_ reply: Reply) async throws
    {
        try await LocalService.run([Self.health(1000)], then: { _ in reply }) { server, port in
            let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.requireLedgers(990...1500) }
            #expect(error?.code == .outsideRetention)
            #expect(error?.isTransient == false)
            #expect(error?.ledgers == 990...1500)
            #expect(
                error?.detail.contains("990-1500") == true && error?.detail.contains("1000-1019") == true, "\(String(describing: error))")
            #expect(server.seen.dropFirst().allSatisfy { $0.asked?.start == 990 && $0.asked?.limit == 1 })
        }
    }

    @Test func `a server that does not answer is not one without the ledgers`() async throws {
        try await LocalService.run([Self.health(1010)], then: { _ in .response(status: 503) }) { _, port in
            let error = await withClientFailure(port, total: .seconds(1)) { rpc throws(LedgerSourceError) in
                try await rpc.requireLedgers(1000...1019)
            }
            #expect(error?.code == .serverFailure)
            #expect(error?.isTransient == true)
        }
    }

    @Test(arguments: [
        "", "localhost:8000", "ftp://host/", "http://", "http:///path", "https://host:99999/", "http://ho st/",
        "postgres://u:secret@host/db",
    ])
    func `a URL that is no use is refused without being shown`(_ url: String) {
        #expect(throws: LedgerSourceError.self) {
            do throws(LedgerSourceError) {
                _ = try StellarRPC(url: url, logger: .init(label: "test"))
            } catch {
                #expect(error.code == .invalidURL)
                #expect(!error.description.contains("secret"))
                throw error
            }
        }
    }

    @Test(arguments: [
        ("http://user:secret@example.org/secret?key=secret", "http://example.org:80"),
        ("https://example.org/v1/secret", "https://example.org:443"),
        ("HTTPS://example.org:8443#secret", "https://example.org:8443"), ("http://[::1]:8000/", "http://[::1]:8000"),
        ("  http://127.0.0.1:8000  ", "http://127.0.0.1:8000"),
    ])
    func `only scheme, host and port are shown`(_ url: String, _ shown: String) async throws {
        let rpc = try StellarRPC(url: url, logger: .init(label: "test"))
        #expect(rpc.endpoint == shown)
        await rpc.shutdown()
    }

    @Test func `keys in the URL go to the server and into no message`() async throws {
        let log = LogRecorder()
        let clock = ManualClock()
        try await LocalService.run(then: { _ in .response(status: 500) }) { server, port in
            let rpc = try StellarRPC(
                url: "http://us%40er:p%3Aw@127.0.0.1:\(port)/v1/s3cret?key=s3cret",
                retry: RetryPolicy(total: .seconds(1), clock: clock, random: { 1 }),
                logger: log.logger)
            let error = await failure { () async throws(LedgerSourceError) in try await rpc.health() }
            await rpc.shutdown()
            #expect(server.seen.first.map { [$0.method, $0.target] } == ["POST", "/v1/s3cret?key=s3cret"])
            // Base64 of "us@er:p:w".
            #expect(server.seen.first?.headers["authorization"] == "Basic dXNAZXI6cDp3")
            let told = log.lines.map(\.description).joined() + "\(String(describing: error))"
            #expect(told.contains("http://127.0.0.1:\(port)"))
            for secret in ["s3cret", "p%3Aw", "p:w", "us%40er", "us@er"] { #expect(!told.contains(secret)) }
        }
    }
}
