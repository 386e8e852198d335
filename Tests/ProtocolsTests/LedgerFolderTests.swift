import Foundation
import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

/// Ledgers of an independent encoder, against the rows that it expects.
@Suite struct LedgerFolderTests {
    @Test func syntheticLedgersGiveTheExpectedRows() throws {
        try expectRows(LedgerFolder.synthetic)
    }

    /// Folders that `Scripts/make_ledgers.py` made of other seeds, all in one: MADE_LEDGERS.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["MADE_LEDGERS"] != nil, "MADE_LEDGERS is not set"))
    func furtherSeedsGiveTheExpectedRows() throws {
        let root = URL(filePath: try #require(ProcessInfo.processInfo.environment["MADE_LEDGERS"]))
        let folders = try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
            .filter { FileManager.default.fileExists(atPath: $0.appending(path: "expected.jsonl").path) }
        #expect(!folders.isEmpty)
        for folder in folders { try expectRows(LedgerFolder(url: folder)) }
    }

    /// Real ledgers, every contract in them tracked as SEP41: PUBNET_LEDGERS.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["PUBNET_LEDGERS"] != nil, "PUBNET_LEDGERS is not set"))
    func pubnetLedgersGiveTheExpectedRows() throws {
        let folder = LedgerFolder(url: URL(filePath: try #require(ProcessInfo.processInfo.environment["PUBNET_LEDGERS"])))
        let ids = try String(contentsOf: folder.url.appending(path: "contracts.txt"), encoding: .utf8)
            .split(whereSeparator: \.isWhitespace).compactMap { word in
                Hash32(hex: String(word)) ?? (try? Strkey(String(word))).flatMap { Hash32(Array($0.columnBytes.dropFirst())) }
            }
        #expect(!ids.isEmpty)
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": ids]))
        try processor.process(all: folder.ledgers())
        let rows = try TupleDecoder.rows(processor.rows[0].tuples)
        #expect(rows == (try folder.expectedRows())["SEP41"])
        #expect(rows.count == 4)
        #expect(processor.counts[0].tracked > 100)
        #expect(processor.counts[0].ignored == processor.counts[0].tracked - 3)
    }

    private func expectRows(_ folder: LedgerFolder) throws {
        let expected = try folder.expectedRows()
        var processor = try LedgerProcessor(protocols: ["SEP50", "SEP41"], tracked: TrackedContracts(folder.contracts()))
        try processor.process(all: folder.ledgers())
        for rows in processor.takeRows() {
            let decoded = try TupleDecoder.rows(rows.tuples)
            let wanted = expected[rows.id] ?? []
            #expect(rows.rowCount == wanted.count)
            #expect(decoded.count == wanted.count)
            for (row, wanted) in zip(decoded, wanted) where row != wanted {
                Issue.record("\(folder.url.lastPathComponent), \(rows.id): \(row) instead of \(wanted)")
                return
            }
            let sequences = wanted.map { UInt32($0.ledger) }
            try StateChangeTuple.check(
                rows.tuples.span.bytes, expectedRows: rows.rowCount, ledgers: (sequences.min() ?? 0)...(sequences.max() ?? 0))
        }
    }
}
