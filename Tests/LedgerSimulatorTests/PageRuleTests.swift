import Foundation
import NIOHTTP1
import Testing

/// What the simulator says to whom: codes and words of the real server.
@Suite struct PageRuleTests {
    @Test func smallMethods() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--network-passphrase", "Some \"where\""]) { client in
            let health = try await client.call("getHealth").result
            #expect(health?.status == "healthy" && health?.oldestLedger == 100 && health?.latestLedger == 359)
            #expect(try await client.call("getNetwork").result?.passphrase == "Some \"where\"")
            #expect(try await client.call("getLatestLedger").result?.sequence == 359)
        }
    }

    @Test func callsThatAreNone() async throws {
        try await SimulatorClient.with { client in
            let unknown = try await client.call("getNothing")
            #expect(unknown.error?.code == -32601)
            #expect(try await client.call("getHealth", "[1]").error?.code == -32602, "parameters go by name only")
            func code(_ body: String) async throws -> Int? {
                let response = try await client.post(body)
                #expect(response.status == .ok)
                return try JSONDecoder().decode(SimulatorClient.Response.self, from: response.body).error?.code
            }
            #expect(try await code("{") == -32700)
            #expect(try await code("[]") == -32600)
            #expect(try await code("{\"id\":\"a\",\"method\":\"getHealth\"}") == -32600, "no version")
            #expect(try await code("{\"jsonrpc\":\"2.0\",\"id\":\"a\"}") == -32600, "no method")
            #expect(try await client.post("{\"jsonrpc\":\"2.0\",\"method\":\"getHealth\"}").status == .noContent, "a notification")
            #expect(try await client.post("{}", type: "text/plain").status == .unsupportedMediaType)
        }
    }

    @Test(arguments: [
        ("{}", -32600, "start ledger (0) must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"),
        (
            "{\"startLedger\":99}", -32600,
            "start ledger (99) must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"
        ),
        (
            "{\"startLedger\":360,\"pagination\":{\"cursor\":null,\"limit\":5}}", -32600,
            "start ledger (360) must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"
        ),
        ("{\"startLedger\":100,\"pagination\":{\"limit\":201}}", -32600, "limit must not exceed 200"),
        ("{\"startLedger\":100,\"pagination\":{\"cursor\":\"120\"}}", -32600, "startLedger (100) and cursor (120) cannot both be set"),
        (
            "{\"pagination\":{\"cursor\":\"359\"}}", -32602,
            "cursor ('359') must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"
        ),
        (
            "{\"pagination\":{\"cursor\":\"98\"}}", -32602,
            "cursor ('98') must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"
        ),
        ("{\"pagination\":{\"cursor\":\"x\"}}", -32602, "strconv.ParseUint: parsing \"x\": invalid syntax"),
        ("{\"startLedger\":100,\"xdrFormat\":\"hex\"}", -32600, "got 'hex': expected base64, json for optional 'xdrFormat'"),
        (
            "{\"startLedger\":\"100\"}", -32602,
            "invalid parameters: json: cannot unmarshal string into Go struct field GetLedgersRequest.startLedger of type uint32"
        ),
        (
            "{\"startLedger\":4294967396}", -32602,
            "invalid parameters: json: cannot unmarshal number into Go struct field GetLedgersRequest.startLedger of type uint32"
        ),
        (
            "{\"startLedger\":100,\"pagination\":{\"limit\":-1}}", -32602,
            "invalid parameters: json: cannot unmarshal number into Go struct field GetLedgersRequest.pagination.limit of type uint"
        ),
    ])
    func refusals(parameters: String, code: Int, message: String) async throws {
        try await SimulatorClient.with { client in
            let error = try await client.call("getLedgers", parameters).error
            #expect(error?.code == code)
            #expect(error?.message == message)
        }
    }

    @Test func pagesFollowTheCursorToTheTip() async throws {
        try await SimulatorClient.with { client in
            let first = try #require(try await client.call("getLedgers", "{\"startLedger\":100}").result)
            #expect(first.ledgers?.map(\.sequence) == Array(100...149), "the default limit is 50")
            #expect(first.cursor == "149" && first.latestLedger == 359)
            let second = try #require(
                try await client.call("getLedgers", "{\"pagination\":{\"cursor\":\"149\",\"limit\":200}}").result)
            #expect(second.ledgers?.map(\.sequence) == Array(150...349))
            let last = try #require(
                try await client.call("getLedgers", "{\"startLedger\":null,\"pagination\":{\"cursor\":\"349\",\"limit\":200}}").result)
            #expect(last.ledgers?.map(\.sequence) == Array(350...359), "a page that reaches the tip is shorter")
            let served = try await client.statistics()
            #expect(served.served == 260 && served.distinct == 260 && served.max == 1)
            #expect(served.bytes > 260 * 20_000)
            _ = try await client.ledgers(from: 100, limit: 1)
            #expect(try await client.statistics().max == 2)
        }
    }

    @Test func retentionBeginsWhereItIsTold() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--oldest", "150"]) { client in
            let health = try await client.call("getHealth")
            #expect(health.result?.oldestLedger == 150)
            #expect(try await client.ledgers(from: 149, limit: 1).error?.code == -32600)
            #expect(try await client.ledgers(from: 150, limit: 1).result?.ledgers?.map(\.sequence) == [150])
        }
    }

    @Test func olderLedgersThanAreToldAreServed() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--oldest", "120", "--tell-oldest", "150"]) { client in
            #expect(try await client.call("getHealth").result?.oldestLedger == 150)
            let page = try await client.ledgers(from: 120, limit: 2).result
            #expect(page?.ledgers?.map(\.sequence) == [120, 121] && page?.oldestLedger == 150)
            let error = try await client.ledgers(from: 119, limit: 1).error
            #expect(error?.code == -32600 && error?.message.contains("the oldest ledger: 150") == true)
        }
    }

    @Test func aPageGoesOutAsFastAsItMay() async throws {
        let clock = ContinuousClock()
        try await SimulatorClient.with(SimulatorClient.made + ["--bytes-per-second", "100000"]) { client in
            var pages: [[UInt32]?] = []
            // 27 KB of base64 and more for each ledger.
            let time = try await clock.measure {
                pages.append(try await client.ledgers(from: 100, limit: 2).result?.ledgers?.map(\.sequence))
            }
            #expect(pages == [[100, 101]])
            #expect(time > .milliseconds(400), "\(time)")
        }
    }

    @Test func pagesThatWouldTakeTooLongAreRefused() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--max-response-bytes", "100000"]) { client in
            let error = try await client.ledgers(from: 100, limit: 10).error
            #expect(error?.code == -32001 && error?.message == "request exceeded processing limit threshold")
            #expect(try await client.ledgers(from: 100, limit: 1).result?.ledgers?.count == 1)
            #expect(try await client.statistics().served == 1, "what was refused was not served")
        }
    }
}
