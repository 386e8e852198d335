internal import Foundation

/// A server, and the path on it below which something is.
package struct Endpoint: Sendable, Hashable {
    /// `http` or `https`.
    package let scheme: String
    /// As it stands in a URL: an IPv6 address has its brackets.
    package let host: String
    /// Only where it is not the scheme's own.
    package let port: Int?
    /// Percent-encoded, without a slash at its end: empty, or `/a/b`.
    package let path: String
    /// Percent-encoded, as it was given.
    package let query: Secret?
    /// `Basic ...`, if the URL had a user part.
    package let authorization: Secret?

    /// `host` or `host:port`, as the header `Host` has it.
    package var hostHeader: String { port.map { "\(host):\($0)" } ?? host }
    /// `scheme://host:port`.
    package var origin: String { "\(scheme)://\(hostHeader)" }
    /// Origin and path for messages. A segment of the path that looks like a key is left out.
    package var shown: String {
        origin + path.split(separator: "/").map { "/" + (Self.looksLikeKey($0) ? "(hidden)" : String($0)) }.joined()
    }

    /// - Parameter name: what the URL is, for messages.
    /// - Throws: `invalidAddress`.
    package init(_ text: String, name: String) throws(ObjectStoreError) {
        func refused(_ why: String) -> ObjectStoreError {
            // The text itself may hold a key, even where it is no URL.
            ObjectStoreError(.invalidAddress, "the \(name) \(why); it should look like http://host:9000 or https://host/path")
        }
        guard let parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw refused("cannot be parsed")
        }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else { throw refused("has no scheme http or https") }
        guard let host = parts.percentEncodedHost, !host.isEmpty else { throw refused("has no host") }
        if let port = parts.port, !(1...65535).contains(port) { throw refused("has the port \(port)") }
        self.scheme = scheme
        self.host = (host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host).lowercased()
        port = parts.port == (scheme == "https" ? 443 : 80) ? nil : parts.port
        let segments = parts.percentEncodedPath.split(separator: "/")
        guard !segments.contains(where: { $0 == "." || $0 == ".." }) else { throw refused("has the segment . or .. in its path") }
        path = segments.map { "/\($0)" }.joined()
        query = parts.percentEncodedQuery.flatMap { $0.isEmpty ? nil : Secret($0) }
        authorization = parts.user.map { user in
            Secret("Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString())
        }
    }

    /// Whether what is sent there stays on this machine.
    package var isLoopback: Bool {
        host == "localhost" || host == "[::1]" || (host.hasPrefix("127.") && host.split(separator: ".").allSatisfy { UInt8($0) != nil })
    }

    /// Twenty letters and digits, both, or the form of a UUID: what providers put into paths to know who asks.
    private static func looksLikeKey(_ segment: Substring) -> Bool {
        if UUID(uuidString: String(segment)) != nil { return true }
        let isPlain = segment.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
        return segment.utf8.count >= 20 && isPlain && segment.contains(where: \.isNumber) && segment.contains(where: \.isLetter)
    }
}
