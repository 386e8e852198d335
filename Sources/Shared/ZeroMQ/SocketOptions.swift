internal import CZeroMQ

/// What a socket is for.
enum SocketKind: Hashable, Sendable {
    case router
    /// `immediate`: messages wait on our side until a connection stands (ZMQ_IMMEDIATE), see ``SocketLoop/connectDealer(_:immediate:)``.
    case dealer(immediate: Bool)

    var type: Int32 {
        switch self {
        case .router: ZMQ_ROUTER
        case .dealer: ZMQ_DEALER
        }
    }

    var name: String {
        switch self {
        case .router: "router"
        case .dealer: "dealer"
        }
    }
}

/// The options that every socket gets; what is not named stays at libzmq's default (handshake limited to 30 s, heartbeats off:
/// the protocol on top has its own).
enum SocketOptions {
    /// 256 MiB: ten times the largest batch that is ever sent, and still something that a peer can be allowed to claim.
    static let longestFrame: Int64 = 256 << 20

    static func apply(to socket: UnsafeMutableRawPointer, _ kind: SocketKind, _ endpoint: Endpoint) throws(ZeroMQError) {
        // No high-water mark: at one, a router drops silently and a dealer blocks. Memory is bounded by the credits that the
        // protocol on top gives out.
        try set(socket, ZMQ_SNDHWM, 0)
        try set(socket, ZMQ_RCVHWM, 0)
        try set(socket, ZMQ_MAXMSGSIZE, wide: longestFrame)
        try set(socket, ZMQ_LINGER, SocketLoop.defaultLinger.milliseconds)
        try set(socket, ZMQ_BACKLOG, 1024)
        try set(socket, ZMQ_TCP_KEEPALIVE, 1)
        try set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 60)
        try set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10)
        try set(socket, ZMQ_TCP_KEEPALIVE_CNT, 6)
        try set(socket, ZMQ_RECONNECT_IVL, 20)
        try set(socket, ZMQ_RECONNECT_IVL_MAX, 1000)
        // Only where asked for: with it, an IPv4 listener reports its address as an IPv6 one.
        if endpoint.isIPv6 { try set(socket, ZMQ_IPV6, 1) }
        switch kind {
        case .router:
            // An unknown peer is an error (EHOSTUNREACH), not silence.
            try set(socket, ZMQ_ROUTER_MANDATORY, 1)
            // Nobody takes over a connection by claiming its id.
            try set(socket, ZMQ_ROUTER_HANDOVER, 0)
        case .dealer(let immediate):
            try set(socket, ZMQ_IMMEDIATE, immediate ? 1 : 0)
        }
    }

    private static func set(_ socket: UnsafeMutableRawPointer, _ option: Int32, _ value: Int32) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size) == 0 else {
            throw .last(.setUpFailed, "socket option \(option) = \(value)")
        }
    }

    private static func set(_ socket: UnsafeMutableRawPointer, _ option: Int32, wide value: Int64) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(socket, option, &value, MemoryLayout<Int64>.size) == 0 else {
            throw .last(.setUpFailed, "socket option \(option) = \(value)")
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, between 0 and a day: what libzmq takes for a time-out.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds < 86_400 else { return 86_400_000 }
        return max(0, Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
