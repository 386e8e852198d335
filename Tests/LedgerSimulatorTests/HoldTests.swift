import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

/// Ledgers that are kept back until somebody asks for their release.
@Suite struct HoldTests {
    @Test func aPageThatReachesAHeldLedgerWaitsForItsRelease() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--hold-from", "110"]) { client in
            async let held = client.ledgers(from: 105, limit: 10)
            while try await !Self.wasAsked(client) {}
            #expect(try await client.ledgers(from: 100, limit: 10).result?.ledgers?.count == 10)
            #expect(try await client.statistics()["served"] == 10)

            var release = HTTPClientRequest(url: client.url + "/release")
            release.method = .POST
            #expect(try await HTTPClient.shared.execute(release, timeout: .seconds(60)).status == .noContent)
            #expect(try await held.result?.ledgers?.map(\.sequence) == Array(105..<115))
            #expect(try await client.ledgers(from: 200, limit: 1).result?.ledgers?.count == 1)
        }
    }

    @Test func aHeldPageDoesNotKeepTheSimulatorFromEnding() async throws {
        let held = try await SimulatorClient.with(SimulatorClient.made + ["--hold-from", "110"]) { client in
            let held = Task { try await client.ledgers(from: 105, limit: 10) }
            while try await !Self.wasAsked(client) {}
            return held
        }
        _ = await held.result
    }

    /// Whether a call of getLedgers has come.
    private static func wasAsked(_ client: SimulatorClient) async throws -> Bool {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: client.url + "/stats"), timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return text.contains("getLedgers")
    }
}
