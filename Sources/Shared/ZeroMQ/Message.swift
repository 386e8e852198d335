internal import CZeroMQ
internal import Synchronization

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

/// Immutable bytes, one part of a ``Message``.
///
/// The bytes live in one libzmq message: a received frame is never copied, a frame to be sent is copied once, when it is made, and
/// handed to the sockets by reference (beyond 33 bytes). A frame may be kept, sent again, sent to several peers and forwarded; its memory goes
/// when the last holder, here or inside libzmq, lets go of it.
@safe public final class Frame: @unchecked Sendable {
    // Sendable by hand: the bytes never change after init. The one thing that writes is `zmq_msg_copy`, which marks its source as
    // shared; `sharing` lets one thread at a time do that.
    private let message: UnsafeMutablePointer<zmq_msg_t>
    private let sharing = Mutex<Void>(())

    /// The number of bytes.
    public let count: Int

    /// A copy of the bytes.
    public init(copying bytes: RawSpan) {
        unsafe message = .allocate(capacity: 1)
        count = bytes.byteCount
        // Fails for want of memory only, where every Swift allocation traps too.
        unsafe precondition(zmq_msg_init_size(message, count) == 0, "no memory for a frame of \(count) bytes")
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: count).copyMemory(from: source)
        }
    }

    /// A copy of the bytes.
    public convenience init(_ bytes: [UInt8]) {
        unsafe self.init(copying: bytes.span.bytes)
    }

    /// Takes over an initialised message; the frame closes it.
    init(adopting message: UnsafeMutablePointer<zmq_msg_t>) {
        unsafe self.message = message
        count = unsafe zmq_msg_size(message)
    }

    deinit {
        unsafe zmq_msg_close(message)
        unsafe message.deallocate()
    }

    /// Lends the bytes in place.
    public func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count).bytes)
    }

    /// A copy of the bytes as an array.
    public func copyBytes() -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
    }

    /// Makes `destination` (uninitialised before) another reference to the same bytes.
    func share(into destination: UnsafeMutablePointer<zmq_msg_t>) -> Bool {
        unsafe zmq_msg_init(destination)
        return sharing.withLock { _ in unsafe zmq_msg_copy(destination, message) == 0 }
    }
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
