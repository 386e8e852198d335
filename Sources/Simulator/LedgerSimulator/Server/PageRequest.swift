/// The parameters of `getLedgers`, judged in the order and with the words of the real server.
struct PageRequest: Equatable {
    static let defaultLimit = 50
    static let maximumLimit = 200

    /// The ledgers to respond with; ends at the tip where the limit reaches beyond it.
    let ledgers: ClosedRange<UInt32>

    /// - Parameters:
    ///   - kept: the ledgers that can be served.
    ///   - announced: the ledgers that refusals name.
    init(_ parameters: [String: JSONValue], kept: ClosedRange<UInt32>, announced: ClosedRange<UInt32>) throws(RPCFailure) {
        let start = try Self.unsigned(parameters["startLedger"], "startLedger", "uint32", limit: UInt64(UInt32.max))
        let format = try Self.text(parameters["xdrFormat"], "xdrFormat")
        let pagination: [String: JSONValue]?
        switch parameters["pagination"] {
        case nil, .null: pagination = nil
        case .object(let members): pagination = members
        case let other?: throw Self.mismatch(other, "pagination", "LedgerPaginationOptions")
        }
        let cursor = try Self.text(pagination?["cursor"], "pagination.cursor")
        let limit = try Self.unsigned(pagination?["limit"], "pagination.limit", "uint", limit: .max)

        if !cursor.isEmpty {
            guard start == 0 else {
                throw .invalidRequest("startLedger (\(start)) and cursor (\(cursor)) cannot both be set")
            }
        } else if start < kept.lowerBound || start > kept.upperBound {
            throw .invalidRequest("start ledger (\(start)) \(Self.mustBeBetween(announced))")
        }
        guard limit <= Self.maximumLimit else { throw .invalidRequest("limit must not exceed \(Self.maximumLimit)") }
        guard ["", "base64", "json"].contains(format) else {
            throw .invalidRequest("got '\(format)': expected base64, json for optional 'xdrFormat'")
        }
        // The real server turns XDR into JSON here; nobody who tests against a simulator needs that.
        guard format != "json" else { throw .invalidRequest("this simulator serves xdrFormat base64 only") }

        let first = cursor.isEmpty ? UInt32(start) : try Self.ledger(after: cursor, kept, announced)
        let count = UInt32(limit == 0 ? UInt64(Self.defaultLimit) : limit)
        ledgers = first...(kept.upperBound - first < count ? kept.upperBound : first + count - 1)
    }

    /// A cursor is the number of the last ledger that was got.
    private static func ledger(
        after cursor: String, _ kept: ClosedRange<UInt32>, _ announced: ClosedRange<UInt32>
    ) throws(RPCFailure) -> UInt32 {
        guard cursor.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .invalidParameters("strconv.ParseUint: parsing \(JSONValue.quoted(cursor)): invalid syntax")
        }
        guard let number = UInt32(cursor) else {
            throw .invalidParameters("strconv.ParseUint: parsing \(JSONValue.quoted(cursor)): value out of range")
        }
        let first = number &+ 1
        guard kept.contains(first) else { throw .invalidParameters("cursor ('\(cursor)') \(mustBeBetween(announced))") }
        return first
    }

    private static func mustBeBetween(_ kept: ClosedRange<UInt32>) -> String {
        "must be between the oldest ledger: \(kept.lowerBound) and the latest ledger: \(kept.upperBound) for this rpc instance"
    }

    private static func unsigned(_ value: JSONValue?, _ field: String, _ type: String, limit: UInt64) throws(RPCFailure) -> UInt64 {
        switch value {
        case nil, .null: return 0
        case .integer(let number) where number >= 0 && UInt64(number) <= limit: return UInt64(number)
        case let other?: throw mismatch(other, field, type)
        }
    }

    private static func text(_ value: JSONValue?, _ field: String) throws(RPCFailure) -> String {
        switch value {
        case nil, .null: return ""
        case .string(let text): return text
        case let other?: throw mismatch(other, field, "string")
        }
    }

    private static func mismatch(_ value: JSONValue, _ field: String, _ type: String) -> RPCFailure {
        .invalidParameters(
            "invalid parameters: json: cannot unmarshal \(value.typeName) into Go struct field GetLedgersRequest.\(field) of type \(type)")
    }
}
