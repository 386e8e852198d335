import Foundation

/// A row of `state_changes` in comparable form.
package struct Row: Hashable, CustomStringConvertible {
    package var toID: Int64
    package var operationID: Int64
    package var stateChangeID: Int64
    package var category: String
    package var reason: String
    package var ledger: Int32
    package var account: [UInt8]
    package var token: [UInt8]?
    package var amount: String?
    package var spender: [UInt8]?
    package var keyValue: [String: JSONScalar]?
    package var toMuxedID: String?
    /// Microseconds since 2000-01-01.
    package var createdAt: Int64

    package init(
        toID: Int64, operationID: Int64, stateChangeID: Int64, category: String, reason: String, ledger: Int32, account: [UInt8],
        token: [UInt8]? = nil, amount: String? = nil, spender: [UInt8]? = nil, keyValue: [String: JSONScalar]? = nil,
        toMuxedID: String? = nil, createdAt: Int64
    ) {
        self.toID = toID
        self.operationID = operationID
        self.stateChangeID = stateChangeID
        self.category = category
        self.reason = reason
        self.ledger = ledger
        self.account = account
        self.token = token
        self.amount = amount
        self.spender = spender
        self.keyValue = keyValue
        self.toMuxedID = toMuxedID
        self.createdAt = createdAt
    }

    package var description: String {
        "\(ledger)/\(toID)/\(operationID)/\(stateChangeID) \(category)/\(reason) \(account) of \(token ?? []): \(amount ?? "null"), "
            + "\(spender ?? []), \(keyValue ?? [:]), \(toMuxedID ?? "null"), \(createdAt)"
    }
}

/// A value in `key_value`: JSON tells "7" and 7 apart, and so do the rows.
package enum JSONScalar: Hashable, Decodable {
    case text(String)
    case number(UInt64)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .number(try container.decode(UInt64.self))
        }
    }
}

package struct TupleDecodingError: Error {
    let message: String

    package init(message: String) { self.message = message }
}

/// Reads tuples the slow and obvious way, sharing nothing with the encoder.
package struct TupleDecoder {
    private var rest: ArraySlice<UInt8>

    package static func rows(_ tuples: [UInt8]) throws -> [Row] {
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
