import Foundation
import TestSupport

extension Reply {
    static func json(_ text: String, status: Int = 200) -> Reply { .text(text, status: status) }
    static func rpcError(_ code: Int, _ message: String) -> Reply {
        .json(#"{"jsonrpc":"2.0","id":1,"error":{"code":\#(code),"message":"\#(message)"}}"#)
    }
}

extension SeenRequest {
    /// `startLedger` and `limit` of a getLedgers request.
    var asked: (start: UInt32, limit: Int)? {
        guard let json = try? JSONDecoder().decode(Envelope.self, from: Data(body.utf8)), let params = json.params else { return nil }
        return (params.startLedger, params.pagination.limit)
    }

    private struct Envelope: Decodable {
        struct Params: Decodable {
            struct Pagination: Decodable { var limit: Int }
            var startLedger: UInt32
            var pagination: Pagination
        }
        var params: Params?
    }
}

extension LocalService {
    /// Runs `body` with the port of a service that gives the replies of `script` in turn, and those of `afterwards` when they are used up.
    static func run<Value: Sendable>(
        _ script: [Reply] = [], then afterwards: @escaping @Sendable (SeenRequest) -> Reply = { _ in .close },
        onRequest: @escaping @Sendable (SeenRequest) -> Void = { _ in },
        _ body: (LocalService, Int) async throws -> Value
    ) async throws -> Value {
        try await run { request, number in
            onRequest(request)
            return number <= script.count ? script[number - 1] : afterwards(request)
        } _: { service in
            try await body(service, service.port)
        }
    }
}
