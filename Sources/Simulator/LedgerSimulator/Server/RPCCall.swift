internal import Foundation

/// A JSON-RPC call as a client sent it.
struct RPCCall: Sendable {
    /// What getLedgers takes.
    struct LedgersParameters: Sendable {
        var startLedger: UInt32?
        var cursor: String?
        var limit: Int?
        var format: String?
    }

    /// JSON text of the id; `null` where there is none.
    let id: String
    let method: String
    let ledgers: LedgersParameters

    /// - Throws: `RPCFailure` with the code and words of the real server.
    init(_ body: Data) throws(RPCFailure) {
        guard let object = try? JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw RPCFailure(code: -32700, message: "parse error")
        }
        switch object["id"] {
        case let text as String: id = "\"\(text.filter { $0 != "\"" && $0 != "\\" })\""
        case let number as NSNumber: id = number.stringValue
        default: id = "null"
        }
        guard let method = object["method"] as? String else { throw RPCFailure(code: -32600, message: "invalid request", id: id) }
        self.method = method
        let parameters: [String: Any]
        switch object["params"] {
        case nil, is NSNull: parameters = [:]
        case let named as [String: Any]: parameters = named
        default: throw RPCFailure(code: -32602, message: "invalid parameters", id: id)
        }
        let pagination = parameters["pagination"] as? [String: Any] ?? [:]
        var ledgers = LedgersParameters()
        // JSON's numbers are doubles: whatever is no ledger number is out of every range.
        if let start = parameters["startLedger"] as? NSNumber { ledgers.startLedger = UInt32(exactly: start.doubleValue) ?? 0 }
        ledgers.cursor = pagination["cursor"] as? String
        if let limit = pagination["limit"] as? NSNumber { ledgers.limit = Int(exactly: limit.doubleValue) ?? Int.max }
        ledgers.format = parameters["xdrFormat"] as? String
        self.ledgers = ledgers
    }
}

/// A JSON-RPC error answer.
struct RPCFailure: Error, Sendable {
    let code: Int
    let message: String
    var id = "null"

    /// The answer's text. Messages are the simulator's own and need no escaping.
    func json(id: String) -> String { "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":\(code),\"message\":\"\(message)\"}}" }
}
