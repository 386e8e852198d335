import Foundation
import LedgerSources
import Logging
import ObjectStores
import StellarXDR
import Synchronization
import Testing

/// Lakes whose objects others wrote, and the end of a lake.
struct DataLakeTests {
    private static let lakes = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/lake")

    private static func withLake<Value>(
        _ name: String, _ options: DataLakeOptions = DataLakeOptions(), _ body: (DataLake) async throws -> Value
    ) async throws -> Value {
        let store = try ObjectStores.open("file://" + lakes.appending(path: name).path, ObjectStoreOptions())
        let lake = DataLake(store, options: options, logger: Logger(label: "test"))
        do {
            let value = try await body(lake)
            await lake.shutdown()
            return value
        } catch {
            await lake.shutdown()
            throw error
        }
    }

    @Test func aRealLakeIsRead() async throws {
        try await Self.withLake("testnet") { lake in
            try await lake.requireNetwork("Test SDF Network ; September 2015")
            await #expect(throws: LedgerSourceError.self) {
                try await lake.requireNetwork("Public Global Stellar Network ; September 2015")
            }
            #expect(try await lake.requireLedgers(997...999) == 999)
            #expect(try await lake.latestLedger(near: nil, within: .seconds(5)) == 999)
            let headers = Mutex<[LedgerHeader]>([])
            for sequence in UInt32(997)...999 {
                let link = try await lake.forEachLedger(from: sequence, limit: 10) { found, xdr in
                    let header = try LedgerReader.readHeader(xdr)
                    #expect(header.sequence == found)
                    headers.withLock { $0.append(header) }
                }
                #expect(link.ledgers == sequence...sequence)
            }
            let found = headers.withLock { $0 }
            #expect(found.map(\.sequence) == [997, 998, 999])
            #expect(found[1].previousLedgerHash == found[0].hash && found[2].previousLedgerHash == found[1].hash)
        }
    }

    /// Old extension, no manifest, a frame that does not state its size.
    @Test func aRealOldObjectIsRead() async throws {
        var options = DataLakeOptions()
        options.ledgersPerFile = 1
        options.filesPerPartition = 1
        try await Self.withLake("pubnet-old", options) { lake in
            #expect(try await lake.requireLedgers(53_312_000...53_312_000) == 53_312_000)
            let bytes = Mutex(0)
            try await lake.forEachLedger(from: 53_312_000, limit: 1) { sequence, xdr in
                let walk = try LedgerReader.read(xdr) { _ in }
                #expect(walk.header.sequence == sequence)
                bytes.withLock { $0 = xdr.byteCount }
            }
            #expect(bytes.withLock { $0 } > 72_651)
        }
    }

    @Test func aLakeThatWasShutDownSaysSo() async throws {
        try await Self.withLake("testnet") { lake in
            try await lake.forEachLedger(from: 997, limit: 1) { _, _ in }
            await lake.shutdown()
            let error = await #expect(throws: LedgerSourceError.self) { try await lake.forEachLedger(from: 998, limit: 1) { _, _ in } }
            #expect(error?.code == .closed)
        }
    }

    /// What the receiver of ledgers throws comes out as it is, and is not tried again.
    @Test func whoTakesLedgersMayRefuseThem() async throws {
        struct Refused: Error {}
        try await Self.withLake("testnet") { lake in
            await #expect(throws: Refused.self) { try await lake.forEachLedger(from: 997, limit: 1) { _, _ in throw Refused() } }
            #expect(lake.retries == 0)
        }
    }
}
