internal import Glibc

/// Where a socket listens or connects: `ipc:///absolute/path` or `tcp://host:port`.
///
/// Connections carry no authentication yet, so only what this machine keeps to itself is accepted: a socket file, protected
/// by its folder's permissions, or tcp on loopback. Abstract ipc names (`ipc://@name`) have no permissions and are refused.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The two transports.
    public enum Transport: Hashable, Sendable {
        /// A Unix domain socket at an absolute path.
        case ipc(path: String)
        /// TCP; the host is an address (`localhost` becomes 127.0.0.1), the port nil where the system shall choose one (`*`).
        case tcp(host: String, port: UInt16?)
    }

    /// The longest path that fits into `sockaddr_un.sun_path` (108 bytes with the closing zero).
    package static let longestPath = 107

    /// The transport with its address.
    public let transport: Transport

    /// The text form that libzmq takes.
    public var description: String {
        switch transport {
        case .ipc(let path): "ipc://\(path)"
        case .tcp(let host, let port):
            "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port.map(String.init) ?? "*")"
        }
    }

    /// Whether the port is left to the system; only a listener may do so.
    package var isWildcard: Bool {
        if case .tcp(_, nil) = transport { true } else { false }
    }

    var isIPv6: Bool {
        if case .tcp(let host, _) = transport { host.contains(":") } else { false }
    }

    /// Reads an endpoint.
    ///
    /// - Throws: `.invalidEndpoint` where the text is malformed, `.insecureEndpoint` for tcp beyond loopback.
    public init(_ text: String) throws(ZeroMQError) {
        if let path = text.dropping(prefix: "ipc://") {
            try self.init(ipcPath: path)
        } else if let address = text.dropping(prefix: "tcp://") {
            self.init(transport: try Self.tcp(address, in: text))
        } else {
            throw ZeroMQError(.invalidEndpoint, "endpoint \"\(text)\" is neither ipc:///path nor tcp://host:port")
        }
    }

    /// The socket file at an absolute path.
    ///
    /// - Throws: `.invalidEndpoint` where the path is relative, longer than ``longestPath`` bytes or holds a NUL.
    public init(ipcPath path: String) throws(ZeroMQError) {
        guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0) else {
            throw ZeroMQError(
                .invalidEndpoint, "endpoint \"ipc://\(path)\" needs an absolute path, as in ipc:///run/wallet-backend/coordinator")
        }
        guard path.utf8.count <= Self.longestPath else {
            throw ZeroMQError(
                .invalidEndpoint,
                "endpoint \"ipc://\(path)\": the path has \(path.utf8.count) bytes, a Unix socket takes at most \(Self.longestPath); choose a shorter folder"
            )
        }
        self.init(transport: .ipc(path: path))
    }

    private init(transport: Transport) {
        self.transport = transport
    }

    private static func tcp(_ address: String, in text: String) throws(ZeroMQError) -> Transport {
        guard let colon = address.lastIndex(of: ":") else {
            throw ZeroMQError(.invalidEndpoint, "endpoint \"\(text)\" has no port, as in tcp://127.0.0.1:7000")
        }
        let portText = address[address.index(after: colon)...]
        let port: UInt16?
        if portText == "*" {
            port = nil
        } else if let number = UInt16(portText), number > 0, portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            port = number
        } else {
            throw ZeroMQError(
                .invalidEndpoint, "endpoint \"\(text)\": port \"\(portText)\" is not 1...65535 (or * to listen on any free one)")
        }
        var host = String(address[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw ZeroMQError(.invalidEndpoint, "endpoint \"\(text)\": an IPv6 address goes into brackets, as in tcp://[::1]:7000")
        }
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw ZeroMQError(.invalidEndpoint, "endpoint \"\(text)\" has no host, as in tcp://127.0.0.1:7000")
        }
        // A listener takes addresses only, and a resolver may prefer ::1 for localhost where nobody listens.
        if host == "localhost" { host = "127.0.0.1" }
        guard isLoopback(host) else {
            throw ZeroMQError(
                .insecureEndpoint,
                "endpoint \"\(text)\" is not on loopback: plain tcp is neither authenticated nor encrypted; use ipc:// or tcp on 127.0.0.1 or [::1]"
            )
        }
        return .tcp(host: host, port: port)
    }

    /// 127.0.0.0/8 or ::1, in any spelling that the system's own parser takes.
    private static func isLoopback(_ host: String) -> Bool {
        var v4 = in_addr()
        if unsafe inet_pton(AF_INET, host, &v4) == 1 {
            return UInt32(bigEndian: v4.s_addr) >> 24 == 127
        }
        var v6 = in6_addr()
        if unsafe inet_pton(AF_INET6, host, &v6) == 1 {
            return unsafe withUnsafeBytes(of: v6) { unsafe Array($0) } == [UInt8](repeating: 0, count: 15) + [1]
        }
        return false
    }
}

extension String {
    fileprivate func dropping(prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
