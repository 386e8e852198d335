internal import Foundation

/// A JSON-RPC 2.0 call as a client sent it.
struct RPCCall: Sendable {
    /// JSON text of the id; nil for a notification, which gets no response.
    let id: String?
    let method: String
    /// By name; empty where there are none.
    let parameters: [String: JSONValue]

    /// - Throws: `RPCFailure` with the code and words of the real server, and the id as far as there is one.
    init(_ body: Data) throws(RPCFailure) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: body) else {
            throw RPCFailure(code: -32700, message: "parse error")
        }
        guard case .object(let members) = value else { throw .invalidRequest("expected one request object") }
        switch members["id"] {
        case nil, .null: id = nil
        case .string(let text): id = JSONValue.quoted(text)
        case .integer(let number): id = "\(number)"
        case .number(let number): id = "\(number)"
        default: throw .invalidRequest("invalid request ID")
        }
        guard members["jsonrpc"] == .string("2.0") else { throw .invalidRequest("invalid version marker", id: id) }
        guard case .string(let method) = members["method"], !method.isEmpty else { throw .invalidRequest("empty method name", id: id) }
        self.method = method
        switch members["params"] {
        case nil, .null: parameters = [:]
        case .object(let named): parameters = named
        default: throw .invalidParameters("invalid parameters: they must be given by name", id: id)
        }
    }
}

/// A JSON-RPC error response; it travels in an HTTP 200.
struct RPCFailure: Error, Equatable, Sendable {
    let code: Int
    let message: String
    /// JSON text of the id, where the failure is about a call that could not be read.
    var id: String?

    static func invalidRequest(_ message: String, id: String? = nil) -> RPCFailure {
        RPCFailure(code: -32600, message: message, id: id)
    }

    static func invalidParameters(_ message: String, id: String? = nil) -> RPCFailure {
        RPCFailure(code: -32602, message: message, id: id)
    }

    static let methodNotFound = RPCFailure(code: -32601, message: "method not found")
    /// What the real server says when it gives up after 10 s.
    static let processingLimit = RPCFailure(code: -32001, message: "request exceeded processing limit threshold")
    static let internalError = RPCFailure(code: -32603, message: "error fetching ledgers from db: database is locked")

    /// The response's text.
    func json(id: String?) -> String {
        "{\"jsonrpc\":\"2.0\",\"id\":\(id ?? "null"),\"error\":{\"code\":\(code),\"message\":\(JSONValue.quoted(message))}}"
    }
}
