internal import Foundation
package import NIOCore

/// Objects below a URL of a web server, which has no way to list them.
package final class HTTPStore: ObjectStore {
    package let address: String
    private let endpoint: Endpoint
    private let transport: HTTPTransport
    private let now: @Sendable () -> Date

    /// - Throws: `invalidAddress`.
    package init(_ url: String, _ options: ObjectStoreOptions) throws(ObjectStoreError) {
        endpoint = try Endpoint(url, name: "URL")
        address = endpoint.shown
        now = options.now
        transport = HTTPTransport(options)
    }

    package func get(
        _ key: String, limit: Int, onArrival: @escaping @Sendable () -> Void
    ) async throws(ObjectStoreError) -> ByteBuffer? {
        try Self.requirePlain(key, address)
        var request = OutgoingRequest(url: endpoint.origin + endpoint.path + "/" + PercentEncoding.encode(key, keepingSlashes: true))
        if let query = endpoint.query { request.url += "?" + query.value }
        if let authorization = endpoint.authorization { request.headers.append(("authorization", authorization.value)) }
        let answer: Answer
        do throws(ObjectStoreError) { answer = try await transport.send(request, limit: limit, onArrival: onArrival) } catch {
            throw error.asked(of: address, key: key)
        }
        switch answer.status {
        case 200: return answer.body
        case 404, 410: return nil
        default: throw refusal(answer).asked(of: address, key: key)
        }
    }

    package func list(prefix: String, limit: Int) async throws(ObjectStoreError) -> [String]? { nil }

    package func shutdown() async { await transport.shutdown() }

    /// A key that a client or a server would rewrite before it is looked up is refused.
    package static func requirePlain(_ key: String, _ address: String) throws(ObjectStoreError) {
        let segments = key.split(separator: "/", omittingEmptySubsequences: false)
        guard !key.isEmpty, !segments.contains(where: { $0 == "." || $0 == ".." || $0.isEmpty }), !key.utf8.contains(0) else {
            throw ObjectStoreError(
                .invalidKey, "this key cannot be asked for: it has an empty segment, . or ..", address: address, key: key)
        }
    }

    private func refusal(_ answer: Answer) -> ObjectStoreError {
        let wait = answer.header("retry-after").flatMap { RetryAfter.delay($0, now: now()) }
        let status = answer.status
        let (code, detail): (ObjectStoreError.Code, String) =
            switch status {
            case 300...399:
                (.redirected, "HTTP \(status): the server redirects\(Redirect.target(answer)); give the URL that it redirects to")
            case 401 where endpoint.authorization == nil:
                (.noCredentials, "HTTP 401: the server wants credentials; give them in the URL, as in https://user:password@host/path")
            case 401: (.badCredentials, "HTTP 401: the server does not accept the credentials in the URL")
            case 403: (.denied, "HTTP 403: the server refuses this request")
            case 408, 504: (.timeout, "HTTP \(status): the server did not manage in time")
            case 425, 429: (.overloaded, "HTTP \(status): too many requests")
            case 503: (.overloaded, "HTTP 503: the server has too much to do")
            case 500...599: (.serverFailure, "HTTP \(status)")
            default: (.unexpectedAnswer, "HTTP \(status), where 200 or 404 was expected")
            }
        return ObjectStoreError(code, detail, status: status, retryAfter: wait)
    }
}

/// Where a redirect leads, for messages.
package enum Redirect {
    /// ` to scheme://host`, or nothing where the answer does not say.
    package static func target(_ answer: Answer) -> String {
        guard let location = answer.header("location"), let endpoint = try? Endpoint(location, name: "redirect") else { return "" }
        return " to \(ServerWords.shown(endpoint.origin))"
    }
}
