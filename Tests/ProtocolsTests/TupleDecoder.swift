import Foundation
import Protocols
import StellarXDR

/// A row of `state_changes` in comparable form.
struct Row: Hashable, CustomStringConvertible {
    var toID: Int64
    var operationID: Int64
    var stateChangeID: Int64
    var category: String
    var reason: String
    var ledger: Int32
    var account: [UInt8]
    var token: [UInt8]?
    var amount: String?
    var spender: [UInt8]?
    var keyValue: [String: JSONScalar]?
    var toMuxedID: String?
    /// Microseconds since 2000-01-01.
    var createdAt: Int64

    var description: String {
        "\(ledger)/\(toID)/\(operationID)/\(stateChangeID) \(category)/\(reason) \(account) of \(token ?? []): \(amount ?? "null"), "
            + "\(spender ?? []), \(keyValue ?? [:]), \(toMuxedID ?? "null"), \(createdAt)"
    }
}

/// A value in `key_value`: JSON tells "7" and 7 apart, and so do the rows.
enum JSONScalar: Hashable, Decodable {
    case text(String)
    case number(UInt64)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .number(try container.decode(UInt64.self))
        }
    }
}

struct TupleDecodingError: Error {
    let message: String
}

/// Reads tuples the slow and obvious way, sharing nothing with the encoder.
struct TupleDecoder {
    private var rest: ArraySlice<UInt8>

    static func rows(_ tuples: [UInt8]) throws -> [Row] {
        var decoder = TupleDecoder(rest: tuples[...])
        var rows: [Row] = []
        while !decoder.rest.isEmpty { rows.append(try decoder.row()) }
        return rows
    }

    private mutating func row() throws -> Row {
        let fields = try integer(2)
        guard fields == 13 else { throw TupleDecodingError(message: "\(fields) fields") }
        let toID = try number(8)
        let operationID = try number(8)
        let stateChangeID = try number(8)
        let category = try required(text())
        let reason = try required(text())
        let ledger = Int32(try number(4))
        let account = try required(field())
        let token = try field()
        let amount = try text()
        let spender = try field()
        var keyValue: [String: JSONScalar]?
        if let json = try field() {
            guard json.first == 1 else { throw TupleDecodingError(message: "jsonb version \(json)") }
            keyValue = try JSONDecoder().decode([String: JSONScalar].self, from: Data(json.dropFirst()))
        }
        let toMuxedID = try text()
        return Row(
            toID: toID, operationID: operationID, stateChangeID: stateChangeID, category: category, reason: reason, ledger: ledger,
            account: account, token: token, amount: amount, spender: spender, keyValue: keyValue, toMuxedID: toMuxedID,
            createdAt: try number(8))
    }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard count >= 0, rest.count >= count else { throw TupleDecodingError(message: "cut off") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    private mutating func integer(_ size: Int) throws -> Int64 {
        let value = try take(size).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        let unused = Int64(64 - 8 * size)
        return (Int64(truncatingIfNeeded: value) << unused) >> unused
    }

    private mutating func field() throws -> [UInt8]? {
        let length = try integer(4)
        return length == -1 ? nil : try take(Int(length))
    }

    private mutating func number(_ size: Int) throws -> Int64 {
        let length = try integer(4)
        guard length == size else { throw TupleDecodingError(message: "length \(length) instead of \(size)") }
        return try integer(size)
    }

    private mutating func text() throws -> String? {
        guard let bytes = try field() else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw TupleDecodingError(message: "text \(bytes)") }
        return text
    }

    private func required<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw TupleDecodingError(message: "null") }
        return value
    }
}
