import AsyncHTTPClient
import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import StellarXDR
import TestSupport
import Testing

/// The simulator as a client sees it: page rules, errors, counts, and ledgers that are what they claim to be.
@Suite struct SimulatorTests {
    private struct Answer: Decodable {
        struct Failure: Decodable {
            let code: Int
            let message: String
        }
        struct Ledger: Decodable {
            let hash: String
            let sequence: UInt32
            let ledgerCloseTime: String
            let headerXdr: String
            let metadataXdr: String
        }
        struct Result: Decodable {
            let ledgers: [Ledger]?
            let latestLedger: UInt32?
            let oldestLedger: UInt32?
            let cursor: String?
            let passphrase: String?
            let status: String?
            let sequence: UInt32?
        }
        let result: Result?
        let error: Failure?
    }

    private static let made = ["serve", "--port", "0", "--seed", "3", "--first", "100", "--count", "260", "--ledger-bytes", "20000"]

    private func withSimulator<Value>(_ arguments: [String] = made, _ body: (RunningProgram, String) async throws -> Value) async throws
        -> Value
    {
        let simulator = try RunningProgram("ledger-simulator", arguments)
        let line = try #require(await simulator.line(containing: "listening on "), "\(simulator.log)")
        let value = try await body(simulator, String(line.split(separator: " ").last ?? ""))
        simulator.send(SIGTERM)
        #expect(await simulator.exit() == 0, "\(simulator.log)")
        return value
    }

    private func call(_ url: String, _ method: String, _ parameters: String = "{}") async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\(method)\",\"params\":\(parameters)}"))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        return try JSONDecoder().decode(Answer.self, from: Data(try await response.body.collect(upTo: 1 << 28).readableBytesView))
    }

    private func statistics(_ url: String) async throws -> [String: Int] {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url + "/stats"), timeout: .seconds(60))
        let object = try JSONSerialization.jsonObject(with: Data(try await response.body.collect(upTo: 1 << 20).readableBytesView))
        return (object as? [String: Any] ?? [:]).compactMapValues { $0 as? Int }
    }

    @Test func smallMethods() async throws {
        try await withSimulator(Self.made + ["--network-passphrase", "Somewhere"]) { _, url in
            let health = try await call(url, "getHealth").result
            #expect(health?.status == "healthy" && health?.oldestLedger == 100 && health?.latestLedger == 359)
            #expect(try await call(url, "getNetwork").result?.passphrase == "Somewhere")
            #expect(try await call(url, "getLatestLedger").result?.sequence == 359)
            #expect(try await call(url, "getNothing").error?.code == -32601)
            #expect(try await call(url, "getHealth", "[1]").error?.code == -32602)
        }
    }

    @Test(arguments: [
        (
            "{\"startLedger\":99}", -32600,
            "start ledger (99) must be between the oldest ledger: 100 and the latest ledger: 359 for this rpc instance"
        ),
        ("{\"startLedger\":360}", -32600, "start ledger (360) must be between"),
        ("{\"startLedger\":100,\"pagination\":{\"limit\":201}}", -32602, "limit must not exceed 200"),
        ("{\"startLedger\":100,\"pagination\":{\"cursor\":\"120\"}}", -32602, "cannot both be set"),
        ("{\"pagination\":{\"cursor\":\"359\"}}", -32600, "must be between"),
        ("{\"pagination\":{\"cursor\":\"x\"}}", -32602, "cursor"),
    ])
    func refusals(parameters: String, code: Int, message: String) async throws {
        try await withSimulator { _, url in
            let error = try await call(url, "getLedgers", parameters).error
            #expect(error?.code == code)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "no error")")
        }
    }

    @Test func pagesFollowTheCursorToTheTip() async throws {
        try await withSimulator { _, url in
            let first = try #require(try await call(url, "getLedgers", "{\"startLedger\":100}").result)
            #expect(first.ledgers?.map(\.sequence) == Array(100...149), "the default limit is 50")
            #expect(first.cursor == "149" && first.latestLedger == 359)
            let second = try #require(try await call(url, "getLedgers", "{\"pagination\":{\"cursor\":\"149\",\"limit\":200}}").result)
            #expect(second.ledgers?.map(\.sequence) == Array(150...349))
            let last = try #require(try await call(url, "getLedgers", "{\"pagination\":{\"cursor\":\"349\",\"limit\":200}}").result)
            #expect(last.ledgers?.map(\.sequence) == Array(350...359), "a page that reaches the tip is shorter")
            let served = try await statistics(url)
            #expect(served["served"] == 260 && served["distinct"] == 260 && served["max"] == 1)
            _ = try await call(url, "getLedgers", "{\"startLedger\":100,\"pagination\":{\"limit\":1}}")
            #expect(try await statistics(url)["max"] == 2)
        }
    }

    @Test func everyLedgerIsWhatItClaims() async throws {
        try await withSimulator { _, url in
            let ledgers = try #require(
                try await call(url, "getLedgers", "{\"startLedger\":100,\"pagination\":{\"limit\":200}}").result?.ledgers)
            var previous: Hash32?
            for ledger in ledgers {
                let xdr = [UInt8](try #require(Data(base64Encoded: ledger.metadataXdr)))
                let header = try LedgerReader.read(xdr.span.bytes) { _ in }.header
                #expect(
                    header.sequence == ledger.sequence && header.hash.hex == ledger.hash && "\(header.closeTime)" == ledger.ledgerCloseTime)
                #expect(Hash32(hex: SHA256.hash(data: xdr[header.headerRange]).map { String(format: "%02x", $0) }.joined()) == header.hash)
                if let previous { #expect(header.previousLedgerHash == previous) }
                previous = header.hash
                #expect(Data(base64Encoded: ledger.headerXdr)?.count ?? 0 > header.headerRange.count)
            }
        }
    }

    @Test func theSameSeedGivesTheSameLedgersInWhateverOrder() async throws {
        func ledger(_ url: String, _ sequence: Int) async throws -> String? {
            try await call(url, "getLedgers", "{\"startLedger\":\(sequence),\"pagination\":{\"limit\":1}}").result?.ledgers?.first?
                .metadataXdr
        }
        let forward = try await withSimulator { _, url in [try await ledger(url, 100), try await ledger(url, 200)] }
        let backward = try await withSimulator { _, url in [try await ledger(url, 200), try await ledger(url, 100)] }
        #expect(forward == backward.reversed())
        #expect(forward[0] != nil && forward[0] != forward[1])
    }

    @Test func ledgersCloseWhenAsked() async throws {
        try await withSimulator(Self.made + ["--close-every", "0.05"]) { _, url in
            var latest: UInt32 = 0
            // Ends as soon as three ledgers have closed; a simulator that closes none runs into the test's own limit.
            while latest < 362 { latest = try await call(url, "getHealth").result?.latestLedger ?? 0 }
            let page = try await call(url, "getLedgers", "{\"startLedger\":360,\"pagination\":{\"limit\":3}}").result
            #expect(page?.ledgers?.map(\.sequence) == [360, 361, 362])
        }
    }

    @Test func recordedLedgersAreRepeatedUnderNewNumbers() async throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
            "Fixtures/synthetic")
        try await withSimulator(["serve", "--port", "0", "--ledgers", folder.path, "--repeat", "5000", "45"]) { _, url in
            let ledgers = try #require(
                try await call(url, "getLedgers", "{\"startLedger\":5000,\"pagination\":{\"limit\":200}}").result?.ledgers)
            #expect(ledgers.map(\.sequence) == Array(5000...5044))
            var previous: Hash32?
            for ledger in ledgers {
                let xdr = [UInt8](try #require(Data(base64Encoded: ledger.metadataXdr)))
                let header = try LedgerReader.read(xdr.span.bytes) { _ in }.header
                #expect(header.sequence == ledger.sequence && header.hash.hex == ledger.hash)
                #expect(Hash32(hex: SHA256.hash(data: xdr[header.headerRange]).map { String(format: "%02x", $0) }.joined()) == header.hash)
                if let previous { #expect(header.previousLedgerHash == previous) }
                previous = header.hash
            }
        }
    }

    /// The independent witness: the Python SDK's own client and decoder.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WITNESS_PYTHON"] != nil, "WITNESS_PYTHON is not set: no Python stellar-sdk"))
    func thePythonSDKCanUseItAndDecodesEveryLedger() async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Scripts/check-simulator.py")
        try await withSimulator(Self.made + ["--events", "60", "--rare-addresses"]) { _, url in
            let check = try RunningProgram(
                executable: URL(fileURLWithPath: ProcessInfo.processInfo.environment["WITNESS_PYTHON"] ?? ""), [script.path, url])
            #expect(await check.exit() == 0, "\(check.log)")
            #expect(check.log.contains("260 ledgers checked"), "\(check.log)")
        }
    }
}
