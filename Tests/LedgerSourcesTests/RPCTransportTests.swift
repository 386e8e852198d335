import Foundation
import LedgerSources
import Logging
import TestSupport
import Testing

struct RPCTransportTests {
    @Test func `the small methods are asked and understood`() async throws {
        let replies: [Reply] = [
            .json(
                #"{"jsonrpc":"2.0","id":1,"result":{"status":"healthy","latestLedger":9,"oldestLedger":2,"ledgerRetentionWindow":120960,"x":1}}"#
            ),
            .json(#"{"jsonrpc":"2.0","id":1,"result":{"passphrase":"Test","protocolVersion":23,"friendbotUrl":"http://f"}}"#),
        ]
        var options = RPCOptions()
        // Where many tests run at once, seconds pass between the two.
        options.connectionIdleTimeout = .seconds(600)
        try await LocalService.run(replies) { [options] server, port in
            try await withClient(port, options: options) { rpc in
                let health = try await rpc.health()
                #expect((health.latestLedger, health.oldestLedger) == (9, 2))
                let network = try await rpc.network()
                #expect(network.passphrase == "Test")
            }
            #expect(server.seen.map(\.body) == ["getHealth", "getNetwork"].map { #"{"jsonrpc":"2.0","id":1,"method":"\#($0)"}"# })
            #expect(server.seen.allSatisfy { $0.headers["content-type"] == "application/json" && $0.headers["accept-encoding"] == nil })
            // One connection, kept.
            #expect(server.connections == 1)
        }
    }

    @Test func `fields that nobody needs may be missing`() async throws {
        let replies = ["{\"latestLedger\":9}", "{\"passphrase\":\"Test\"}"].map {
            Reply.json("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\($0)}")
        }
        try await LocalService.run(replies) { _, port in
            try await withClient(port) { rpc in
                let health = try await rpc.health()
                #expect((health.latestLedger, health.oldestLedger) == (9, nil))
                let network = try await rpc.network()
                #expect(network.passphrase == "Test")
            }
        }
    }

    @Test func `small responses fail as large ones do`() async throws {
        let replies: [Reply] = [.rpcError(-32603, "unhealthy"), .json("{}"), .json(#"{"result":{"passphrase":7}}"#)]
        try await LocalService.run(replies, then: { _ in .rpcError(-32601, "method not found") }) { server, port in
            let error = await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.network() }
            #expect(error?.code == .malformedResponse)
            #expect(server.seen.count == 3)
            #expect(await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.health() }?.code == .methodNotFound)
        }
    }

    @Test func `every ledger is passed on`() async throws {
        try await LocalService.run(then: SampleLedgers.serve) { _, port in
            try await withClient(port) { rpc in
                var next: UInt32 = 1000
                while next <= 1019 {
                    let ledgers = try await rpc.fetched(from: next, limit: Int(1020 - next))
                    #expect(ledgers.lowerBound == next)
                    next = ledgers.upperBound + 1
                }
            }
        }
    }

    @Test func `a page may be shorter than asked`() async throws {
        try await LocalService.run(then: SampleLedgers.serve) { _, port in
            try await withClient(port) { rpc in
                try await rpc.expect(1018...1019, from: 1018, limit: 6)
            }
        }
    }

    @Test func `ledgers beyond the limit are left out`() async throws {
        // A whole response, not one that broke.
        let three = try SampleLedgers.response(1000...1002)
        try await LocalService.run(then: { _ in .json(three) }) { _, port in
            try await withClient(port) { rpc in
                try await rpc.expect(1000...1001, from: 1000, limit: 2)
                #expect(rpc.counters.retries == 0)
            }
        }
    }

    @Test(arguments: [1, 100, 5_000, 100_000])
    func `a response without Content-Length is taken whole`(_ chunk: Int) async throws {
        let body = Array(try SampleLedgers.response(1000...1006).utf8)
        for reply in [Reply.chunked(body: body, chunk: max(chunk, body.count / 5_000)), .untilClose(body: body)] {
            try await LocalService.run([reply]) { _, port in
                try await withClient(port) { rpc in
                    try await rpc.expect(1000...1006, from: 1000, limit: 7)
                    #expect(rpc.counters.bytesReceived == body.count)
                }
            }
        }
    }

    @Test func `a kept connection that died is replaced at once`() async throws {
        let clock = ManualClock()
        let page = try Reply.json(SampleLedgers.response(1000...1000))
        // The second request finds the connection dead, as behind a proxy that forgot it.
        try await LocalService.run([page, .close, page]) { server, port in
            try await withClient(port, clock: clock) { rpc in
                _ = try await rpc.fetched(from: 1000, limit: 1)
                _ = try await rpc.fetched(from: 1000, limit: 1)
            }
            #expect(server.seen.map(\.connection) == [1, 1, 2])
        }
        #expect(clock.sleeps.isEmpty)
    }

    @Test func `cancelling ends a request under way`() async throws {
        let (requests, arrived) = AsyncStream.makeStream(of: Void.self)
        try await LocalService.run(then: { _ in .silence }, onRequest: { _ in arrived.yield() }) { _, port in
            try await withClient(port) { rpc in
                let task = Task { await failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) } }
                for await _ in requests { break }
                task.cancel()
                #expect(await task.value?.code == .cancelled)
            }
        }
    }

    @Test func `cancelling ends a wait between tries`() async throws {
        let waiting = EndlessClock()
        try await LocalService.run(then: { _ in .response(status: 500) }) { server, port in
            try await withClient(port, clock: waiting) { rpc in
                let task = Task { await failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) } }
                for await _ in waiting.sleepers { break }
                task.cancel()
                #expect(await task.value?.code == .cancelled)
            }
            #expect(server.seen.count == 1)
        }
    }

    @Test func `a cancelled task asks nothing`() async throws {
        try await LocalService.run(then: SampleLedgers.serve) { server, port in
            try await withClient(port) { rpc in
                let task = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return await failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) }
                }
                #expect(await task.value?.code == .cancelled)
            }
            #expect(server.seen.isEmpty)
        }
    }

    @Test func `a request that was cancelled says nothing about its ledgers`() async {
        let task = Task {
            let rpc = try StellarRPC(url: "http://127.0.0.1:1", logger: .init(label: "test"))
            withUnsafeCurrentTask { $0?.cancel() }
            let error = await failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) }
            await rpc.shutdown()
            return (error, await failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) })
        }
        let (cancelled, closed) = (try? await task.value) ?? (nil, nil)
        #expect(cancelled?.code == .cancelled)
        #expect(cancelled?.isTransient == true)
        #expect(closed?.code == .cancelled || closed?.code == .closed)
        #expect(closed?.isTransient == true)
    }

    @Test func `shutdown ends a request under way`() async throws {
        let (requests, arrived) = AsyncStream.makeStream(of: Void.self)
        try await LocalService.run(then: { _ in .silence }, onRequest: { _ in arrived.yield() }) { _, port in
            let rpc = try StellarRPC(
                url: "http://127.0.0.1:\(port)", retry: RetryPolicy(clock: ManualClock(), random: { 1 }), logger: .init(label: "test"))
            async let error = failure { () async throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: 1) }
            for await _ in requests { break }
            await rpc.shutdown()
            #expect(await error?.code == .closed)
        }
    }

    @Test func `after shutdown there is nothing to ask`() async throws {
        try await LocalService.run(then: SampleLedgers.serve) { _, port in
            let rpc = try StellarRPC(url: "http://127.0.0.1:\(port)", logger: .init(label: "test"))
            await rpc.shutdown()
            #expect(await failure { () async throws(LedgerSourceError) in try await rpc.health() }?.code == .closed)
        }
    }
}
