import NIOHTTP1
import Testing

/// Ledgers that are kept back until somebody asks for their release.
@Suite struct HoldTests {
    @Test func aHeldLedgerWaitsForItsReleaseAndAPageThatReachesItEndsBeforeIt() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--hold-from", "110"]) { client in
            async let held = client.ledgers(from: 110, limit: 10)
            while try await !Self.wasAsked(client) {}
            #expect(try await client.ledgers(from: 105, limit: 10).result?.ledgers?.map(\.sequence) == Array(105..<110))
            #expect(try await client.statistics().served == 5)

            #expect(try await client.control("/release") == .noContent)
            #expect(try await held.result?.ledgers?.map(\.sequence) == Array(110..<120))
            #expect(try await client.ledgers(from: 200, limit: 1).result?.ledgers?.count == 1)
        }
    }

    @Test func whatWasReleasedCanBeHeldAgain() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--hold-from", "110"]) { client in
            #expect(try await client.control("/release") == .noContent)
            #expect(try await client.ledgers(from: 110, limit: 1).result?.ledgers?.count == 1)
            let asked = try await client.statistics().requests["getLedgers"] ?? 0
            #expect(try await client.control("/hold?from=nothing") == .badRequest)
            #expect(try await client.control("/hold?from=150") == .noContent)
            async let held = client.ledgers(from: 150, limit: 10)
            while try await client.statistics().requests["getLedgers"] ?? 0 == asked {}
            #expect(try await client.ledgers(from: 110, limit: 1).result?.ledgers?.count == 1)
            #expect(try await client.statistics().served == 2)
            #expect(try await client.control("/release") == .noContent)
            #expect(try await held.result?.ledgers?.map(\.sequence) == Array(150..<160))
        }
    }

    @Test func aHeldPageDoesNotKeepTheSimulatorFromEnding() async throws {
        let held = try await SimulatorClient.with(SimulatorClient.made + ["--hold-from", "110"]) { client in
            let held = Task { try await client.ledgers(from: 110, limit: 10) }
            while try await !Self.wasAsked(client) {}
            return held
        }
        _ = await held.result
    }

    /// Whether a call of getLedgers has come.
    private static func wasAsked(_ client: SimulatorClient) async throws -> Bool {
        try await client.statistics().requests["getLedgers"] != nil
    }
}
