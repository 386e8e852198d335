import Crypto
import Foundation
import StellarXDR
import TestSupport

/// Synthetic ledgers 1000-1019, hash-chained, and responses made of them.
enum SampleLedgers {
    static let available: ClosedRange<UInt32> = 1000...1019

    /// The `LedgerCloseMeta` of a ledger.
    static func xdr(_ sequence: UInt32) throws -> [UInt8] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return Array(try Data(contentsOf: tests.appending(path: "Fixtures/synthetic/ledger-\(sequence).xdr")))
    }

    static func header(_ xdr: [UInt8]) throws -> LedgerHeader {
        try LedgerReader.readHeader(xdr.span.bytes)
    }

    /// The ledger with a header that `change` has worked on, under its right hash.
    static func forged(_ sequence: UInt32, _ change: (inout ArraySlice<UInt8>) -> Void) throws -> [UInt8] {
        var bytes = try xdr(sequence)
        let range = try header(bytes).headerRange
        change(&bytes[range])
        // LedgerHeaderHistoryEntry is the hash and then the header.
        bytes.replaceSubrange((range.lowerBound - 32)..<range.lowerBound, with: Array(SHA256.hash(data: bytes[range])))
        return bytes
    }

    /// One element of `ledgers`.
    static func element(_ xdr: [UInt8], sequence: UInt32? = nil, hash: String? = nil, metadata: String? = nil) throws -> String {
        let header = try header(xdr)
        return #"{"hash":"\#(hash ?? header.hash.hex)","sequence":\#(sequence ?? header.sequence),"ledgerCloseTime":"1700000000","#
            + #""headerXdr":"AAAA","metadataXdr":"\#(metadata ?? Data(xdr).base64EncodedString())"}"#
    }

    static func response(_ elements: [String], latest: UInt32 = 1019) -> String {
        #"{"jsonrpc":"2.0","id":1,"result":{"ledgers":[\#(elements.joined(separator: ","))],"latestLedger":\#(latest),"#
            + #""latestLedgerCloseTime":1700000100,"oldestLedger":1000,"oldestLedgerCloseTime":1700000000,"cursor":"1001"}}"#
    }

    static func response(_ ledgers: ClosedRange<UInt32>) throws -> String {
        response(try ledgers.map { try element(xdr($0)) })
    }

    /// What a healthy server says to a getLedgers request.
    static func serve(_ request: SeenRequest) -> Reply {
        guard let asked = request.asked, available.contains(asked.start) else {
            return .rpcError(-32602, "not a request for sample ledgers")
        }
        let last = min(available.upperBound, asked.start + UInt32(asked.limit) - 1)
        return (try? response(asked.start...last)).map { .json($0) } ?? .response(status: 500)
    }
}
