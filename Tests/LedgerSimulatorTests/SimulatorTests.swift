import Foundation
import StellarXDR
import TestSupport
import Testing

/// The ledgers that the simulator serves: made, recorded, repeated.
@Suite struct SimulatorTests {
    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let fixtures = package.appendingPathComponent("Tests/Fixtures/synthetic")

    @Test func everyLedgerIsWhatItClaims() async throws {
        try await SimulatorClient.with { client in
            let ledgers = try CheckedLedger.chain(try #require(try await client.ledgers(from: 100, limit: 200).result?.ledgers))
            #expect(ledgers.count == 200)
            // Both versions of LedgerCloseMeta occur.
            #expect(Set(ledgers.map(\.xdr[3])) == [1, 2])
        }
    }

    @Test func ledgersHaveTheSizeThatWasAskedFor() async throws {
        let arguments = ["--seed", "4", "--first", "100", "--count", "40", "--ledger-bytes", "300000", "--events", "30"]
        try await SimulatorClient.with(arguments) { client in
            for ledger in try CheckedLedger.chain(try #require(try await client.ledgers(from: 100, limit: 40).result?.ledgers)) {
                #expect((240_000...360_000).contains(ledger.xdr.count))
            }
        }
    }

    @Test func ledgersGrowAndShrinkWhereThatIsAskedFor() async throws {
        let arguments = [
            "--seed", "4", "--first", "100", "--count", "40", "--ledger-bytes", "20000", "--ledger-bytes-from", "110:300000,120:0",
            "--ledger-bytes-from", "130:60000", "--events", "2", "--events-from", "120:600",
        ]
        try await SimulatorClient.with(arguments) { client in
            let ledgers = try CheckedLedger.chain(try #require(try await client.ledgers(from: 100, limit: 40).result?.ledgers))
            for ledger in ledgers {
                var events = 0
                _ = try LedgerReader.read(ledger.xdr.span.bytes) { _ in events += 1 }
                switch ledger.header.sequence {
                case ..<110: #expect((15_000...25_000).contains(ledger.xdr.count))
                case ..<120: #expect((240_000...360_000).contains(ledger.xdr.count) && events < 500)
                default:
                    #expect((100_000...600_000).contains(ledger.xdr.count) && events > 300, "\(ledger.xdr.count) bytes, \(events) events")
                }
            }
        }
    }

    @Test func aLedgerMayHaveFiveThousandEvents() async throws {
        let arguments = ["--seed", "4", "--first", "100", "--count", "20", "--ledger-bytes", "0", "--events", "5000"]
        try await SimulatorClient.with(arguments) { client in
            for ledger in try CheckedLedger.chain(try #require(try await client.ledgers(from: 100, limit: 3).result?.ledgers)) {
                var events = 0
                _ = try LedgerReader.read(ledger.xdr.span.bytes) { _ in events += 1 }
                #expect(events > 3000)
            }
        }
    }

    @Test func theSameSeedGivesTheSameLedgersInWhateverOrder() async throws {
        func ledger(_ client: SimulatorClient, _ sequence: Int) async throws -> String? {
            try await client.ledgers(from: sequence, limit: 1).result?.ledgers?.first?.metadataXdr
        }
        let forward = try await SimulatorClient.with { [try await ledger($0, 100), try await ledger($0, 200)] }
        let backward = try await SimulatorClient.with { [try await ledger($0, 200), try await ledger($0, 100)] }
        #expect(forward == backward.reversed())
        #expect(forward[0] != nil && forward[0] != forward[1])
    }

    @Test func ledgersCloseWhenAsked() async throws {
        try await SimulatorClient.with(SimulatorClient.made + ["--close-every", "0.05"]) { client in
            var latest: UInt32 = 0
            // Ends as soon as three ledgers have closed; a simulator that closes none runs into the test's own limit.
            while latest < 362 { latest = try await client.call("getHealth").result?.latestLedger ?? 0 }
            let page = try await client.ledgers(from: 359, limit: 4).result
            _ = try CheckedLedger.chain(try #require(page?.ledgers))
            #expect(page?.ledgers?.map(\.sequence) == [359, 360, 361, 362])
        }
    }

    @Test func aFolderClosesWhatItHasInStore() async throws {
        try await SimulatorClient.with(["--ledgers", Self.fixtures.path, "--count", "5", "--close-every", "0.02"]) { client in
            let oldest = Int(try #require(try await client.call("getHealth").result?.oldestLedger))
            while try await client.call("getHealth").result?.latestLedger ?? 0 < oldest + 19 {}
            let ledgers = try CheckedLedger.chain(try #require(try await client.ledgers(from: oldest, limit: 200).result?.ledgers))
            #expect(ledgers.count == 20)
        }
    }

    @Test func recordedLedgersAreServedAsTheyAre() async throws {
        try await SimulatorClient.with(["--ledgers", Self.fixtures.path]) { client in
            let oldest = Int(try #require(try await client.call("getHealth").result?.oldestLedger))
            let ledgers = try CheckedLedger.chain(try #require(try await client.ledgers(from: oldest, limit: 200).result?.ledgers))
            #expect(ledgers.map { Int($0.header.sequence) } == Array(oldest..<oldest + 20))
        }
    }

    @Test func recordedLedgersAreRepeatedUnderNewNumbers() async throws {
        let recorded = try await SimulatorClient.with(["--ledgers", Self.fixtures.path]) { client in
            let oldest = Int(try #require(try await client.call("getHealth").result?.oldestLedger))
            return try CheckedLedger.chain(try #require(try await client.ledgers(from: oldest, limit: 200).result?.ledgers))
        }
        try await SimulatorClient.with(["--ledgers", Self.fixtures.path, "--repeat", "5000", "45"]) { client in
            let ledgers = try CheckedLedger.chain(try #require(try await client.ledgers(from: 5000, limit: 200).result?.ledgers))
            #expect(ledgers.map(\.header.sequence) == Array(5000...5044))
            for (index, ledger) in ledgers.enumerated() {
                let original = recorded[index % recorded.count]
                #expect(ledger.header.closeTime == recorded[0].header.closeTime + UInt64(5 * index))
                #expect(ledger.xdr[ledger.header.headerRange.upperBound...] == original.xdr[original.header.headerRange.upperBound...])
            }
        }
    }

    @Test func madeFilesAreWhatIsServed() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ledgers-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let make = try RunningProgram("ledger-simulator", ["make", "--out", folder.path] + SimulatorClient.made)
        #expect(await make.exit() == 0, "\(make.log)")
        let served = try await SimulatorClient.with { try await $0.ledgers(from: 100, limit: 200).result?.ledgers }
        for ledger in try #require(served) {
            let file = try Data(contentsOf: folder.appendingPathComponent("ledger-\(ledger.sequence).xdr"))
            #expect(file.base64EncodedString() == ledger.metadataXdr)
        }
        let expect = try RunningProgram("ledger-simulator", ["expect"] + SimulatorClient.made)
        #expect(await expect.exit() == 0)
        let rows = try String(contentsOf: folder.appendingPathComponent("expected.jsonl"), encoding: .utf8).split(separator: "\n")
        #expect(rows.map(String.init) == expect.lines)
        #expect(rows.count > 260)
    }

    @Test(arguments: [
        [], ["--seed", "1", "--ledgers", "x"], ["--seed", "1", "--repeat", "1", "2"], ["--ledgers", "x", "--repeat", "1"],
        ["--seed", "1", "--first", "2147483000"], ["--ledgers", "x", "--repeat", "4294967295", "2"], ["--seed", "1", "--faults", "noise"],
        ["--seed", "1", "--events-from", "5"], ["--seed", "1", "--events-from", "5:20000"],
        ["--ledgers", "x", "--ledger-bytes-from", "5:1"],
        ["--seed", "1", "--bytes-per-second", "0"], ["--seed", "1", "--port", "70000"], ["--seed", "1", "--count", "0"], ["--seed", "-1"],
    ])
    func usageErrors(arguments: [String]) async throws {
        let simulator = try RunningProgram("ledger-simulator", ["serve"] + arguments)
        #expect(await simulator.exit() == 64, "\(simulator.log)")
    }

    @Test(arguments: [
        (["--ledgers", "/nowhere"], "/nowhere"), (["--ledgers", fixtures.path, "--first", "5"], "has no ledger 5"),
        (["--seed", "1", "--count", "5", "--oldest", "99"], "--oldest 99"),
        (["--seed", "1", "--count", "5", "--oldest", "4", "--tell-oldest", "3"], "--tell-oldest 3"),
    ])
    func whatCannotBeServedIsSaid(arguments: [String], reason: String) async throws {
        let simulator = try RunningProgram("ledger-simulator", ["serve", "--port", "0"] + arguments)
        #expect(await simulator.exit() == 1)
        #expect(simulator.log.contains(reason), "\(simulator.log)")
    }

    /// The independent witness: the Python SDK's own client and decoder, and rows that are read from the ledgers with it.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WITNESS_PYTHON"] != nil, "WITNESS_PYTHON is not set: no Python stellar-sdk"))
    func thePythonSDKCanUseItAndFindsTheExpectedRows() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("witness-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let arguments = SimulatorClient.made + ["--events", "60", "--rare-addresses"]
        let make = try RunningProgram("ledger-simulator", ["make", "--out", folder.path] + arguments)
        #expect(await make.exit() == 0, "\(make.log)")
        try await SimulatorClient.with(arguments) { client in
            let check = try RunningProgram(
                executable: URL(fileURLWithPath: ProcessInfo.processInfo.environment["WITNESS_PYTHON"] ?? ""),
                [
                    Self.package.appendingPathComponent("Scripts/check-simulator.py").path, client.url,
                    folder.appendingPathComponent("contracts.json").path, folder.appendingPathComponent("expected.jsonl").path,
                ])
            #expect(await check.exit() == 0, "\(check.log)")
            #expect(check.log.contains("260 ledgers checked") && check.log.contains("rows agree"), "\(check.log)")
        }
    }
}
