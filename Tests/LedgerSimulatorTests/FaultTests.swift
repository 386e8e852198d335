import AsyncHTTPClient
import Foundation
import NIOHTTP1
import StellarXDR
import Testing

/// Faults come when they are due, and are what they are called.
@Suite struct FaultTests {
    private static let page = """
        {"jsonrpc":"2.0","id":"a","method":"getLedgers","params":{"startLedger":100,"pagination":{"limit":3}}}
        """

    /// Answers of a simulator that spoils each call to getLedgers in one way.
    private func with(_ fault: String, _ body: (SimulatorClient) async throws -> Void) async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--faults", fault, "--fail-every", "1"]) { client in
            #expect(try await client.call("getHealth").result?.status == "healthy", "only getLedgers is spoilt")
            try await body(client)
            let statistics = try await client.statistics()
            #expect(statistics["served"] == 0 && statistics["faults"] ?? 0 > 0, "a spoilt page does not count as served")
        }
    }

    @Test(arguments: [("503", HTTPResponseStatus.serviceUnavailable), ("504", .gatewayTimeout), ("429", .tooManyRequests)])
    func statuses(fault: String, status: HTTPResponseStatus) async throws {
        try await with(fault) { client in
            let answer = try await client.post(Self.page)
            #expect(answer.status == status)
            #expect(answer.body.isEmpty)
            #expect(answer.headers.contains(name: "Retry-After") == (fault == "429"))
        }
    }

    @Test(arguments: [("-32603", -32603), ("-32001", -32001)])
    func errors(fault: String, code: Int) async throws {
        try await with(fault) { client in
            let answer = try await client.ledgers(from: 100, limit: 3)
            #expect(answer.error?.code == code)
        }
    }

    @Test func anEmptyPageLooksLikeASuccess() async throws {
        try await with("empty-page") { client in
            let result = try await client.ledgers(from: 100, limit: 3).result
            #expect(result?.ledgers?.isEmpty == true && result?.cursor == "99" && result?.latestLedger == 359)
        }
    }

    @Test(arguments: ["cut-body", "drop"])
    func connectionsThatBreak(fault: String) async throws {
        try await with(fault) { client in
            await #expect(throws: (any Error).self) { try await client.post(Self.page) }
        }
    }

    @Test func aHashThatIsNotTheHeaders() async throws {
        let good = try await SimulatorClient.with { try await $0.ledgers(from: 100, limit: 3).result?.ledgers }
        try await with("wrong-hash") { client in
            let ledgers = try await client.ledgers(from: 100, limit: 3).result?.ledgers
            #expect(ledgers?.map(\.hash).dropLast() == good?.map(\.hash).dropLast())
            #expect(ledgers?.last?.hash != good?.last?.hash)
        }
    }

    @Test func aPredecessorThatIsNone() async throws {
        try await with("broken-chain") { client in
            let ledgers = try #require(try await client.ledgers(from: 100, limit: 3).result?.ledgers)
            let headers = try ledgers.map { try CheckedLedger($0).header }
            #expect(headers[1].previousLedgerHash == headers[0].hash)
            #expect(headers[2].previousLedgerHash != headers[1].hash)
        }
    }

    @Test func everyNthCallIsSpoiltInTurn() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--faults", "503,-32603", "--fail-every", "3"]) { client in
            var seen: [String] = []
            for _ in 0..<12 {
                let answer = try await client.post(Self.page)
                if answer.status != .ok {
                    seen.append("\(answer.status.code)")
                } else {
                    let error = try JSONDecoder().decode(SimulatorClient.Answer.self, from: answer.body).error
                    seen.append(error.map { "\($0.code)" } ?? "good")
                }
            }
            let good = ["good", "good"]
            #expect(seen == good + ["503"] + good + ["-32603"] + good + ["503"] + good + ["-32603"])
            let statistics = try await client.statistics()
            #expect(statistics["faults"] == 4 && statistics["served"] == 24)
        }
    }
}
