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

    /// Responses of a simulator that spoils each call to getLedgers in one way.
    private func with(_ fault: String, _ body: (SimulatorClient) async throws -> Void) async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--faults", fault, "--fail-every", "1"]) { client in
            #expect(try await client.call("getHealth").result?.status == "healthy", "only getLedgers is spoilt")
            try await body(client)
            let statistics = try await client.statistics()
            #expect(statistics.served == 0, "a spoilt page does not count as served")
            #expect(Set(statistics.faults.keys) == [fault])
        }
    }

    @Test(arguments: [("503", HTTPResponseStatus.serviceUnavailable), ("504", .gatewayTimeout), ("429", .tooManyRequests)])
    func statuses(fault: String, status: HTTPResponseStatus) async throws {
        try await with(fault) { client in
            let response = try await client.post(Self.page)
            #expect(response.status == status)
            #expect(response.body.isEmpty)
            #expect(response.headers.contains(name: "Retry-After") == (fault == "429"))
        }
    }

    @Test(arguments: [("-32603", -32603), ("-32001", -32001)])
    func errors(fault: String, code: Int) async throws {
        try await with(fault) { client in
            let response = try await client.ledgers(from: 100, limit: 3)
            #expect(response.error?.code == code)
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
                let response = try await client.post(Self.page)
                if response.status != .ok {
                    seen.append("\(response.status.code)")
                } else {
                    let error = try JSONDecoder().decode(SimulatorClient.Response.self, from: response.body).error
                    seen.append(error.map { "\($0.code)" } ?? "good")
                }
            }
            let good = ["good", "good"]
            #expect(seen == good + ["503"] + good + ["-32603"] + good + ["503"] + good + ["-32603"])
            let statistics = try await client.statistics()
            #expect(statistics.faults == ["503": 2, "-32603": 2] && statistics.served == 24)
        }
    }

    private static let all = ["503", "504", "429", "-32603", "-32001", "empty-page", "cut-body", "drop", "wrong-hash", "broken-chain"]

    /// The chain of a page of one ledger cannot be broken: the fault is kept for the next page that is longer.
    @Test(arguments: [[1, 3], [3, 1], [1, 1, 1, 1, 2], [1, 1, 3]])
    func everyFaultIsServed(lengths: [Int]) async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--faults", Self.all.joined(separator: ","), "--fail-every", "2"]) {
            client in
            for request in 0..<40 {
                let length = lengths[request % lengths.count]
                _ = try? await client.post(
                    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"getLedgers\",\"params\":{\"startLedger\":100,\"pagination\":{\"limit\":\(length)}}}"
                )
            }
            let faults = try await client.statistics().faults
            #expect(Set(faults.keys) == Set(Self.all), "\(faults)")
            #expect((20...22).contains(faults.values.reduce(0, +)), "half of all, and what was owed: \(faults)")
        }
    }

    @Test func aPageThatNoFaultFitsIsGood() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--faults", "broken-chain", "--fail-every", "1"]) { client in
            _ = try CheckedLedger.chain(try #require(try await client.ledgers(from: 100, limit: 1).result?.ledgers))
            _ = try await client.ledgers(from: 100, limit: 2)
            #expect(try await client.statistics().faults == ["broken-chain": 1])
        }
    }

    @Test func aLedgerOfAnUnknownVersionHasItsHeaderAndItsChain() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--unknown-version", "101"]) { client in
            let ledgers = try #require(try await client.ledgers(from: 100, limit: 3).result?.ledgers)
            let xdr = [UInt8](try #require(Data(base64Encoded: ledgers[1].metadataXdr)))
            #expect(throws: XDRError.self) { try LedgerReader.readHeader(xdr.span.bytes) }
            // With its version mended it is the ledger that it would have been.
            let good = try await SimulatorClient.with { try await $0.ledgers(from: 100, limit: 3).result?.ledgers }
            #expect(ledgers.map(\.hash) == good?.map(\.hash) && ledgers.map(\.headerXdr) == good?.map(\.headerXdr))
            _ = try CheckedLedger(ledgers[0])
            _ = try CheckedLedger(ledgers[2])
        }
    }

    @Test(arguments: ["20", "0"])
    func aTransactionOfAnUnknownVersionIsInALedgerWhoseHeaderCanBeRead(events: String) async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--events", events, "--unknown-transaction-version", "101"]) { client in
            let ledgers = try #require(try await client.ledgers(from: 100, limit: 3).result?.ledgers)
            let xdr = [UInt8](try #require(Data(base64Encoded: ledgers[1].metadataXdr)))
            #expect(try LedgerReader.readHeader(xdr.span.bytes).sequence == 101)
            let error = #expect(throws: XDRError.self) { try LedgerReader.read(xdr.span.bytes) { _ in } }
            #expect(error?.reason == .unsupportedVersion(99) && error?.ledger == 101 && error?.transaction != nil)
            _ = try CheckedLedger(ledgers[0])
            _ = try CheckedLedger(ledgers[2])
        }
    }
}
