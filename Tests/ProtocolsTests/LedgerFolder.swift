import Foundation
import Protocols
import StateChanges
import StellarXDR
import TestSupport

/// A folder of ledgers with the rows expected of them, as `Scripts/make_ledgers.py` leaves it; ledgers may be packed with gzip.
struct LedgerFolder {
    let url: URL

    /// Those that come with the tests.
    static let synthetic = LedgerFolder(
        url: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/synthetic"))

    /// The ledgers in ascending order.
    func ledgers() throws -> [[UInt8]] {
        let files = try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("ledger-") }
            .sorted { Self.sequence($0) < Self.sequence($1) }
        return try files.map(Self.read)
    }

    /// The tracked contracts, from `contracts.json`.
    func contracts() throws -> [ProtocolID: [Hash32]] {
        let json = try JSONDecoder().decode(
            [String: [String]].self, from: Data(contentsOf: url.appending(path: "contracts.json")))
        return Dictionary(
            uniqueKeysWithValues: json.map { (ProtocolID(rawValue: $0.key), $0.value.compactMap(Hash32.init(hex:))) })
    }

    /// The rows of `expected.jsonl`, by protocol, in their order.
    func expectedRows() throws -> [ProtocolID: [Row]] {
        let text = try String(contentsOf: url.appending(path: "expected.jsonl"), encoding: .utf8)
        var rows: [ProtocolID: [Row]] = [:]
        for line in text.split(separator: "\n") {
            let expected = try JSONDecoder().decode(ExpectedRow.self, from: Data(line.utf8))
            rows[ProtocolID(rawValue: expected.protocol), default: []].append(try expected.row)
        }
        return rows
    }

    private static func sequence(_ file: URL) -> Int {
        Int(file.lastPathComponent.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? 0
    }

    private static func read(_ file: URL) throws -> [UInt8] {
        guard file.pathExtension == "gz" else { return [UInt8](try Data(contentsOf: file)) }
        let gzip = Process()
        gzip.executableURL = URL(filePath: "/usr/bin/env")
        gzip.arguments = ["gzip", "-dc", file.path]
        let output = Pipe()
        gzip.standardOutput = output
        try gzip.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        gzip.waitUntilExit()
        guard gzip.terminationStatus == 0 else { throw TupleDecodingError(message: "gzip -dc \(file.path) failed") }
        return [UInt8](bytes)
    }
}

/// A line of `expected.jsonl`.
struct ExpectedRow: Decodable {
    let to_id: Int64
    let operation_id: Int64
    let state_change_id: Int64
    let `protocol`: String
    let state_change_category: String
    let state_change_reason: String
    let ledger_number: Int32
    let ledger_created_at: Int64
    let account_id: String
    let token_id: String?
    let amount: String?
    let spender_account_id: String?
    let key_value: [String: JSONScalar]?
    let to_muxed_id: String?

    var row: Row {
        get throws {
            Row(
                toID: to_id, operationID: operation_id, stateChangeID: state_change_id, category: state_change_category,
                reason: state_change_reason, ledger: ledger_number, account: try Self.bytes(account_id),
                token: try token_id.map(Self.bytes),
                amount: amount, spender: try spender_account_id.map(Self.bytes), keyValue: key_value, toMuxedID: to_muxed_id,
                createdAt: (ledger_created_at - 946_684_800) * 1_000_000)
        }
    }

    private static func bytes(_ strkey: String) throws -> [UInt8] {
        try Strkey(strkey).columnBytes
    }
}

extension LedgerProcessor {
    /// Processes ledgers one after another.
    mutating func process(all ledgers: some Sequence<[UInt8]>) throws {
        for ledger in ledgers { _ = try process(ledger.span.bytes) }
    }
}
