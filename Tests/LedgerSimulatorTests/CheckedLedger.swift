import Crypto
import Foundation
import StellarXDR
import Testing

/// A served ledger that was decoded and found to be what it claims to be.
struct CheckedLedger {
    let xdr: [UInt8]
    let header: LedgerHeader

    init(_ ledger: SimulatorClient.Response.Ledger) throws {
        let xdr = [UInt8](try #require(Data(base64Encoded: ledger.metadataXdr)))
        let header = try LedgerReader.read(xdr.span.bytes) { _ in }.header
        #expect(header.sequence == ledger.sequence && header.hash.hex == ledger.hash && "\(header.closeTime)" == ledger.ledgerCloseTime)
        #expect(SHA256.hash(data: xdr[header.headerRange]).map { String(format: "%02x", $0) }.joined() == ledger.hash)
        // LedgerHeaderHistoryEntry: hash, header, extension.
        let entry = xdr[header.headerRange.lowerBound - 32..<header.headerRange.upperBound + 4]
        #expect(Data(base64Encoded: ledger.headerXdr) == Data(entry))
        self.xdr = xdr
        self.header = header
    }

    /// Checks ledgers and that each names its predecessor.
    static func chain(_ ledgers: [SimulatorClient.Response.Ledger]) throws -> [CheckedLedger] {
        let checked = try ledgers.map { try CheckedLedger($0) }
        for (previous, next) in zip(checked, checked.dropFirst()) {
            #expect(next.header.previousLedgerHash == previous.header.hash)
        }
        return checked
    }
}
