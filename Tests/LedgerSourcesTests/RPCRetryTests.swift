import LedgerSources
import Logging
import Synchronization
import TestSupport
import Testing

/// What is transient is tried again until it succeeds, with the waits that the policy and the server ask for.
struct RPCRetryTests {
    static let garbage = Reply.json(#"{"jsonrpc":"2.0","id":1,"result":{"ledgers":[{"sequence":1x}]}}"#)

    @Test(
        arguments: [
            (.close, [.zero]), (.response(status: 500), nil), (.response(status: 502, body: Array("<html>".utf8)), nil),
            (.response(status: 503), nil),
            (.response(status: 504), nil), (.response(status: 408), nil), (.response(status: 429), nil),
            (.rpcError(-32603, "internal"), nil),
            (.rpcError(-32001, "took too long"), nil), (.rpcError(-32098, "queue full"), nil), (.rpcError(-32005, "limit exceeded"), nil),
            (.response(), nil), (.cut(body: Array(#"{"jsonrpc":"#.utf8), announced: 1000), nil), (.cut(body: [], announced: 1000), nil),
            (.untilClose(body: Array(#"{"jsonrpc":"2.0","result":{"ledg"#.utf8)), nil), (garbage, nil),
            (.response(headers: ["content-encoding": "gzip"], body: [1, 2, 3]), nil),
            (.json(SampleLedgers.response([])), nil),
            (
                .rpcError(
                    -32600, "start ledger (1000) must be between the oldest ledger: 2 and the latest ledger: 999 for this rpc instance"),
                nil
            ),
        ] as [(Reply, [Duration]?)])
    func `a transient failure is tried again after a wait`(_ reply: Reply, _ waits: [Duration]?) async throws {
        let clock = ManualClock()
        try await LocalService.run([reply], then: SampleLedgers.serve) { server, port in
            let ledgers = try await withClient(port, clock: clock) { rpc in
                let ledgers = try await rpc.fetched(from: 1000, limit: 2)
                #expect(rpc.counters.requests == 2)
                #expect(rpc.counters.retries == 1)
                #expect(rpc.counters.ledgersReceived == ledgers.count)
                return ledgers
            }
            // After a time-out fewer are asked for.
            #expect(ledgers.lowerBound == 1000)
            #expect(server.seen.count == 2)
        }
        // A connection that closes before the response was probably a kept one: the second try comes at once.
        #expect(clock.sleeps == (waits == [.zero] ? [] : [.milliseconds(100)]))
    }

    @Test(
        arguments: [
            ("3", .milliseconds(3_100)), ("0", .milliseconds(100)), ("86400", .milliseconds(60_100)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", .milliseconds(100)),
            ("Fri, 01 Jan 2100 00:00:00 GMT", .milliseconds(60_100)), ("soon", .milliseconds(100)),
        ] as [(String, Duration)])
    func `Retry-After is honoured up to its cap`(_ header: String, _ wait: Duration) async throws {
        for status in [429, 503] {
            let clock = ManualClock()
            try await LocalService.run([.response(status: status, headers: ["Retry-After": header])], then: SampleLedgers.serve) {
                _, port in
                _ = try await withClient(port, clock: clock) { try await $0.fetched(from: 1000, limit: 1) }
            }
            #expect(clock.sleeps == [wait])
        }
    }

    @Test func `waits grow from try to try, and the last error says all`() async throws {
        let clock = ManualClock()
        try await LocalService.run(then: { _ in .response(status: 503, body: Array("down for\nmaintenance".utf8)) }) { server, port in
            let error = await withClientFailure(port, clock: clock, total: .seconds(3)) { rpc throws(LedgerSourceError) in
                try await rpc.fetched(from: 1000, limit: 5)
            }
            #expect(error?.code == .serverFailure)
            #expect(error?.ledgers == 1000...1004)
            #expect(error?.tries == 5)
            #expect(error?.elapsed == .milliseconds(1500))
            #expect(error?.isTransient == true)
            #expect(
                error?.description
                    == "ledgers 1000-1004 from http://127.0.0.1:\(port): getLedgers: HTTP 503: down for maintenance (gave up after 5 tries in 1.500 s)"
            )
            #expect(server.seen.count == 5)
        }
        #expect(clock.sleeps == [100, 200, 400, 800].map { .milliseconds($0) })
    }

    @Test func `no server at all is given up after the time allowed`() async throws {
        let clock = ManualClock()
        let port = try await LocalService.run { _, port in port }
        let error = await withClientFailure(port, clock: clock) { rpc throws(LedgerSourceError) in try await rpc.health(within: .seconds(1))
        }
        #expect(error?.code == .connection)
        #expect(error?.tries == 4)
        #expect(
            error?.description.hasPrefix("http://127.0.0.1:\(port): getHealth: cannot connect: ") == true, "\(String(describing: error))")
    }

    @Test func `a server that never responds runs into the time-out, and shorter pages are asked for`() async throws {
        var options = RPCOptions()
        options.idleTimeout = .milliseconds(200)
        options.pageSizer = PageSizer(maximum: 8)
        try await LocalService.run(
            [.silence, .rpcError(-32001, "processing limit exceeded"), .response(status: 504)], then: SampleLedgers.serve
        ) {
            [options] server, port in
            try await withClient(port, options: options) { rpc in
                try await rpc.expect(1000...1000, from: 1000, limit: 200)
                #expect(rpc.requestLength(from: 1001, of: 200) == 1)
            }
            #expect(server.seen.map { $0.asked?.limit } == [8, 4, 2, 1])
        }
    }

    @Test func `a response that stalls is given up`() async throws {
        var options = RPCOptions()
        options.idleTimeout = .milliseconds(200)
        let body = Array(try SampleLedgers.response(1000...1000).utf8)
        let half = Array(body.prefix(body.count / 2))
        try await LocalService.run([.slow(pieces: [half], pause: .zero, announced: body.count)], then: SampleLedgers.serve) {
            [options] server, port in
            try await withClient(port, options: options) { rpc in
                try await rpc.expect(1000...1000, from: 1000, limit: 1)
                #expect(rpc.retries == 1)
            }
            #expect(server.seen.count == 2)
        }
    }

    @Test func `a slow response that goes on is awaited, however long it takes`() async throws {
        var options = RPCOptions()
        options.idleTimeout = .seconds(2)
        let body = Array(try SampleLedgers.response(1000...1000).utf8)
        let pieces = stride(from: 0, to: body.count, by: body.count / 6).map { Array(body[$0..<min(body.count, $0 + body.count / 6)]) }
        try await LocalService.run(
            [.slow(pieces: pieces, pause: .milliseconds(500), announced: body.count)], then: SampleLedgers.serve
        ) { [options] server, port in
            try await withClient(port, options: options) { rpc in try await rpc.expect(1000...1000, from: 1000, limit: 1) }
            #expect(server.seen.count == 1)
        }
    }

    @Test func `a response that waits until another is read is not idle`() async throws {
        var options = RPCOptions()
        options.threads = 1
        options.readBufferBytes = 4096
        options.idleTimeout = .milliseconds(400)
        // More than half of a read, and more often than what counts as a stall: the other one waits for the end.
        let text = try SampleLedgers.response(1000...1000)
        let padded = Array((text.dropLast() + String(repeating: " ", count: 300_000 - text.utf8.count) + "}").utf8)
        let pieces = stride(from: 0, to: padded.count, by: 3_000).map { Array(padded[$0..<($0 + 3_000)]) }
        let slow = Reply.slow(pieces: pieces, pause: .milliseconds(15), announced: padded.count)
        let (requests, arrived) = AsyncStream.makeStream(of: Void.self)
        try await LocalService.run(
            then: { $0.asked?.start == 1000 ? slow : SampleLedgers.serve($0) }, onRequest: { _ in arrived.yield() }
        ) { [options] server, port in
            try await withClient(port, options: options) { rpc in
                async let first = rpc.fetched(from: 1000, limit: 1)
                for await _ in requests { break }
                async let second = rpc.fetched(from: 1001, limit: 1)
                let both = try await [first, second]
                #expect(both == [1000...1000, 1001...1001])
            }
            #expect(server.seen.count == 2)
        }
    }

    @Test func `malformed JSON is tried three times and no more`() async throws {
        try await LocalService.run(then: { _ in Self.garbage }) { server, port in
            let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) }
            #expect(error?.code == .malformedResponse)
            #expect(error?.detail.contains("JSON at byte") == true)
            #expect(server.seen.count == 3)
        }
    }

    @Test func `a page of other ledgers is refused`() async throws {
        let two = try SampleLedgers.element(SampleLedgers.xdr(1002))
        let one = try SampleLedgers.element(SampleLedgers.xdr(1001))
        let zero = try SampleLedgers.element(SampleLedgers.xdr(1000))
        for elements in [[one], [one, zero]] {
            try await LocalService.run(then: { _ in .json(SampleLedgers.response(elements)) }) { server, port in
                let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 2) }
                #expect(error?.code == .unexpectedLedgers)
                #expect(server.seen.count == 3)
            }
        }
        // What came before the wrong one was right.
        for elements in [[zero, two], [zero, zero]] {
            try await LocalService.run(then: { _ in .json(SampleLedgers.response(elements)) }) { _, port in
                try await withClient(port) { rpc in try await rpc.expect(1000...1000, from: 1000, limit: 2) }
            }
        }
    }

    @Test func `an empty page at the tip means that the server is behind`() async throws {
        try await LocalService.run(then: { _ in .json(SampleLedgers.response([], latest: 1019)) }) { _, port in
            let error = await withClientFailure(port, total: .seconds(1)) { rpc throws(LedgerSourceError) in
                try await rpc.fetched(from: 1020, limit: 2)
            }
            #expect(error?.code == .pastLatest)
        }
    }

    @Test func `each repetition is logged with its delay, later ones as warnings`() async throws {
        let log = LogRecorder()
        try await LocalService.run([Reply](repeating: .response(status: 500), count: 4), then: SampleLedgers.serve) { _, port in
            _ = try await withClient(port, logger: log.logger) {
                try await $0.fetched(from: 1000, limit: 3)
            }
            let lines = log.lines
            #expect(lines.map(\.level) == [.info, .info, .warning, .warning])
            #expect(lines.map { $0.metadata["delay"] } == ["100 ms", "200 ms", "400 ms", "800 ms"])
            #expect(lines.map { $0.metadata["try"] } == ["1", "2", "3", "4"])
            #expect(lines.first?.metadata["ledgers"] == "1000-1002")
            #expect(lines.first?.metadata["endpoint"] == "http://127.0.0.1:\(port)")
        }
    }
}
