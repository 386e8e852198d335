internal import Foundation

/// Where an RPC is: the URL that requests go to, and the part of it that may be shown.
///
/// Providers put API keys into the path, the query or the user part of a URL, so messages show scheme, host and port only.
struct RPCEndpoint: Sendable {
    /// The URL without user and password.
    let url: URL
    /// `Basic ...`, if the URL had a user part.
    let authorization: String?
    /// `scheme://host:port`.
    let shown: String

    init(_ text: String) throws(LedgerSourceError) {
        func refused(_ why: String) -> LedgerSourceError {
            // The text itself may hold a key, even where it is no URL.
            LedgerSourceError(.invalidURL, "the RPC URL \(why); it should look like http://host:8000 or https://host/path", endpoint: "RPC")
        }
        guard var parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw refused("cannot be parsed")
        }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else { throw refused("has no scheme http or https") }
        guard let host = parts.host, !host.isEmpty else { throw refused("has no host") }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { throw refused("has the port \(port)") }
        shown = "\(scheme)://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host):\(port)"
        if let user = parts.user {
            authorization = "Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString()
        } else {
            authorization = nil
        }
        parts.user = nil
        parts.password = nil
        parts.fragment = nil
        parts.scheme = scheme
        guard let url = parts.url else { throw refused("cannot be parsed") }
        self.url = url
    }
}
