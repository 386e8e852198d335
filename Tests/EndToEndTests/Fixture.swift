import Foundation
import TestSupport

/// A folder of ledgers with the tracked contracts and the rows that must come of them.
struct Fixture: Sendable, CustomStringConvertible {
    let folder: URL
    let contracts: [String: [String]]
    let expected: [StateChangeRow]
    let ledgers: ClosedRange<UInt32>
    /// The folder's name.
    var description: String { folder.lastPathComponent }

    /// Reads a folder of `ledger-<sequence>.xdr[.gz]` and `expected.jsonl` (a row a line, addresses as strkeys); contracts come from
    /// `contracts.json`, or all from `contracts.txt` as SEP41.
    init(_ folder: URL, only: ClosedRange<UInt32>? = nil) throws {
        self.folder = folder
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let sequences = names.compactMap { name -> UInt32? in
            guard name.hasPrefix("ledger-") else { return nil }
            return UInt32(name.dropFirst("ledger-".count).prefix { $0.isNumber })
        }.filter { only?.contains($0) ?? true }.sorted()
        guard let first = sequences.first, let last = sequences.last else { throw Unreadable(what: folder.path) }
        ledgers = first...last
        if names.contains("contracts.json") {
            let data = try Data(contentsOf: folder.appendingPathComponent("contracts.json"))
            contracts = try JSONDecoder().decode([String: [String]].self, from: data)
        } else {
            let text = try String(contentsOf: folder.appendingPathComponent("contracts.txt"), encoding: .utf8)
            contracts = ["SEP41": text.split(separator: "\n").map(String.init), "SEP50": []]
        }
        let lines = try String(contentsOf: folder.appendingPathComponent("expected.jsonl"), encoding: .utf8).split(separator: "\n")
        expected = try lines.map { try StateChangeRow(expected: Data($0.utf8)) }.filter { only?.contains(UInt32($0.ledger)) ?? true }
    }

    struct Unreadable: Error { let what: String }

    /// The small set that the project ships.
    static func synthetic() throws -> Fixture {
        try Fixture(
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
                "Fixtures/synthetic"))
    }
}

/// One row of `state_changes` with all columns that a migration fills, in a form that compares.
struct StateChangeRow: Hashable, Comparable, CustomStringConvertible {
    let ledger: Int
    let toID: Int64
    let operationID: Int64
    let stateChangeID: Int64
    /// Everything else: column by column, NULL as nil.
    let columns: [String: String]

    var description: String { "\(ledger)/\(toID)/\(operationID)/\(stateChangeID) \(columns.sorted { $0.key < $1.key })" }

    static func < (left: Self, right: Self) -> Bool {
        (left.ledger, left.toID, left.operationID, left.stateChangeID) < (right.ledger, right.toID, right.operationID, right.stateChangeID)
    }

    /// From a line of `expected.jsonl`.
    init(expected data: Data) throws {
        struct Line: Decodable {
            let to_id, operation_id, state_change_id, ledger_created_at: Int64
            let ledger_number: Int
            let state_change_category, state_change_reason, account_id: String
            let token_id, amount, spender_account_id, to_muxed_id: String?
            let key_value: [String: JSONValue]?
        }
        let line = try JSONDecoder().decode(Line.self, from: data)
        ledger = line.ledger_number
        toID = line.to_id
        operationID = line.operation_id
        stateChangeID = line.state_change_id
        var columns = [
            "state_change_category": line.state_change_category, "state_change_reason": line.state_change_reason,
            "account_id": try Self.bytes(line.account_id), "ledger_created_at": "\(line.ledger_created_at)",
        ]
        columns["token_id"] = try line.token_id.map(Self.bytes)
        columns["amount"] = line.amount
        columns["spender_account_id"] = try line.spender_account_id.map(Self.bytes)
        columns["to_muxed_id"] = line.to_muxed_id
        columns["key_value"] = line.key_value.map(Self.canonical)
        self.columns = columns
    }

    /// From a row of `StateChangeRow.query`.
    init(found row: [String: String?]) throws {
        func number(_ name: String) throws -> Int64 {
            guard let text = row[name] ?? nil, let value = Int64(text) else { throw Fixture.Unreadable(what: name) }
            return value
        }
        ledger = Int(try number("ledger_number"))
        toID = try number("to_id")
        operationID = try number("operation_id")
        stateChangeID = try number("state_change_id")
        var columns: [String: String] = [:]
        for (name, value) in row where !["ledger_number", "to_id", "operation_id", "state_change_id"].contains(name) {
            guard let value else { continue }
            columns[name] =
                name == "key_value" ? Self.canonical(try JSONDecoder().decode([String: JSONValue].self, from: Data(value.utf8))) : value
        }
        self.columns = columns
    }

    /// All columns of the table but `ingested_at`; those that a migration leaves NULL must come back NULL.
    static let columnNames = [
        "to_id", "operation_id", "state_change_id", "state_change_category", "state_change_reason", "ledger_number", "account_id",
        "token_id",
        "amount", "signer_account_id", "spender_account_id", "creator_account_id", "destination_account_id", "liquidity_pool_id",
        "signer_weight_old",
        "signer_weight_new", "threshold", "threshold_old", "threshold_new", "trustline_limit_old", "trustline_limit_new", "flags",
        "data_entry_name", "key_value", "to_muxed_id",
    ]
    static let query =
        "SELECT \(columnNames.joined(separator: ", ")), extract(epoch FROM ledger_created_at)::bigint AS ledger_created_at FROM state_changes"

    private static func canonical(_ value: [String: JSONValue]) -> String {
        value.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    /// The column's bytes as PostgreSQL writes them: version byte and 32 bytes.
    private static func bytes(_ strkey: String) throws -> String {
        "\\x" + (try Strkey(strkey)).columnBytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A number or a text; which of the two it is matters.
enum JSONValue: Decodable, Hashable, CustomStringConvertible {
    case number(Int64)
    case text(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .text(let text): "\"\(text)\""
        }
    }
}
