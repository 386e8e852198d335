internal import Foundation

/// An http or https URL with a host.
public struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    /// The URL as it was given. It may hold credentials or a key in its path: not for logs.
    public let text: String
    /// Scheme, host and port only, for logs and errors: `https://rpc.example.com:443`.
    public let description: String

    /// Reads a URL; nil where it is not http or https, has no host, or is not a URL.
    public init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let host = parts.host, !host.isEmpty, parts.fragment == nil
        else { return nil }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { return nil }
        self.text = text
        description = "\(scheme)://\(host):\(port)"
    }
}

extension SettingFormat where Value == HTTPURL {
    /// An http or https URL with a host. Errors do not show it: it may hold credentials.
    public static var httpURL: Self {
        Self(placeholder: "url", isSecret: true) { text throws(Mismatch) in
            guard let url = HTTPURL(text) else {
                throw Mismatch("is not a URL of the form http://host:port/path or https://host:port/path")
            }
            return url
        }
    }
}
