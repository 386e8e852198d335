internal import CZeroMQ
internal import Synchronization

/// Immutable bytes, one part of a ``Message``.
///
/// The bytes live in one libzmq message: a received frame is never copied, a frame to be sent is copied once, when it is made, and
/// handed to the sockets by reference (beyond 33 bytes). A frame may be kept, sent again, sent to several peers and forwarded; its memory goes
/// when the last holder, here or inside libzmq, lets go of it.
public final class Frame: @unchecked Sendable {
    // Sendable by hand: the bytes never change after init. The one thing that writes is `zmq_msg_copy`, which marks its source as
    // shared; `sharing` lets one thread at a time do that.
    private let message: UnsafeMutablePointer<zmq_msg_t>
    private let sharing = Mutex<Void>(())

    /// The number of bytes.
    public let count: Int

    /// A copy of the bytes.
    public init(copying bytes: RawSpan) {
        message = .allocate(capacity: 1)
        count = bytes.byteCount
        // Fails for want of memory only, where every Swift allocation traps too.
        precondition(zmq_msg_init_size(message, count) == 0, "no memory for a frame of \(count) bytes")
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: count).copyMemory(from: source)
        }
    }

    /// A copy of the bytes.
    public convenience init(_ bytes: [UInt8]) {
        self.init(copying: bytes.span.bytes)
    }

    /// The UTF-8 form of a text.
    public convenience init(_ text: String) {
        self.init(Array(text.utf8))
    }

    /// Takes over an initialised message; the frame closes it.
    init(adopting message: UnsafeMutablePointer<zmq_msg_t>) {
        self.message = message
        count = zmq_msg_size(message)
    }

    deinit {
        zmq_msg_close(message)
        message.deallocate()
    }

    /// Lends the bytes in place.
    public func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count).bytes)
    }

    /// A copy of the bytes as an array.
    public func copyBytes() -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
    }

    /// Makes `destination` (uninitialised before) another reference to the same bytes.
    func share(into destination: UnsafeMutablePointer<zmq_msg_t>) -> Bool {
        zmq_msg_init(destination)
        return sharing.withLock { _ in zmq_msg_copy(destination, message) == 0 }
    }
}
