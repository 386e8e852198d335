import Foundation
import StellarXDR
import Testing

/// Whatever our reader says of a ledger, the Python Stellar SDK says too.
struct WitnessTests {
    @Test("Fixtures hold what the SDK finds in them")
    func fixtures() throws {
        let witness = try Witness(folder: Fixtures.folder)
        let files = try Fixtures.all
        #expect(files.count == 29)
        #expect(witness.ledgers.count == files.count)
        for file in files {
            try compare(file, with: witness)
        }
    }

    @Test(
        "Ledgers of the public network hold what the SDK finds in them",
        .enabled(if: Fixtures.pubnetFolder != nil, "WITNESSED_LEDGERS is not set"))
    func pubnet() throws {
        let folder = try required(Fixtures.pubnetFolder)
        let witness = try Witness(folder: folder)
        let files = try LedgerFile.all(in: folder)
        #expect(!files.isEmpty)
        for file in files {
            try compare(file, with: witness)
        }
    }

    private func compare(_ file: LedgerFile, with witness: Witness) throws {
        let expected = try required(witness.ledgers[file.name])
        var events: [Result<Witness.Event, any Error>] = []
        let walk = try LedgerReader.read(file.bytes.span.bytes) { event in
            let place = (event.ledger, event.closeTime, event.bodyVersion)
            #expect(place == (expected.sequence, expected.closeTime, 0))
            do {
                events.append(.success(try Witness.Event(event, contracts: witness.contracts, ledger: file.bytes)))
            } catch {
                events.append(.failure(error))
            }
        }
        #expect(try events.map { try $0.get() } == expected.events, "\(file.name)")
        #expect(walk.eventCount == expected.events.count)
        #expect(walk.transactionCount == expected.transactionCount)
        for header in [walk.header, try LedgerReader.readHeader(file.bytes.span.bytes)] {
            #expect(header.sequence == expected.sequence)
            #expect(header.closeTime == expected.closeTime)
            #expect(header.protocolVersion == expected.protocolVersion)
            #expect(header.previousLedgerHash.hex == expected.previousLedgerHash)
            #expect(header.hash.hex == expected.hash)
            #expect(header.headerRange == expected.headerStart..<expected.headerEnd)
        }
    }
}
