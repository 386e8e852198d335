/// One or more frames that travel together: the receiver gets all of them or none.
public struct Message: Sendable {
    /// The parts, in order. A message without any sends nothing.
    public let frames: [Frame]

    /// A message of these parts.
    public init(_ frames: [Frame]) {
        self.frames = frames
    }

    /// A message of these parts.
    public init(_ frames: Frame...) {
        self.frames = frames
    }

    /// All bytes of all frames.
    public var byteCount: Int { frames.reduce(0) { $0 + $1.count } }
}

/// A connection as a router knows it.
///
/// The router gives every connection an id of its own choice. A peer that reconnects comes back under a new one, so a protocol
/// must not take it for the identity of a process. (Ids chosen by the peers would survive a reconnect, but libzmq leaves a
/// connection mute for good whose id still belongs to the half-closed one before it.)
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    /// The routing id, 1 to 255 bytes.
    public let bytes: [UInt8]

    /// The peer with this routing id.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The routing id in hexadecimal.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
