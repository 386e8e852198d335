internal import CZeroMQ

/// What went wrong at a socket; the message names the operation and the endpoint.
public struct ZeroMQError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure, for decisions; the words are in ``ZeroMQError/message``.
    public enum Code: Hashable, Sendable {
        /// The text is not an endpoint that this module understands.
        case invalidEndpoint
        /// Plain tcp to an address that is not loopback.
        case insecureEndpoint
        /// Another socket already listens there, or something that is not a socket lies at the path.
        case endpointInUse
        /// libzmq refused to bind.
        case bindFailed
        /// libzmq refused to connect (a peer that is merely absent is no error: the connection is retried for ever).
        case connectFailed
        /// The context, the wake-up descriptor or the thread could not be made.
        case setUpFailed
        /// A call failed inside the loop: every socket of the loop is lost.
        case loopFailed
        /// The loop has been shut down.
        case closed
    }

    /// The kind of failure.
    public let code: Code
    /// What was attempted, at which endpoint, and what to do about it.
    public let message: String
    /// `errno` of the failed call, 0 where none was made.
    public let systemError: Int32

    /// The message; it holds no secrets, endpoints have none.
    public var description: String { message }

    init(_ code: Code, _ message: String, systemError: Int32 = 0) {
        self.code = code
        self.message = systemError == 0 ? message : unsafe "\(message): \(String(cString: zmq_strerror(systemError)))"
        self.systemError = systemError
    }

    /// The failure of the call just made on this thread.
    static func last(_ code: Code, _ message: String) -> ZeroMQError {
        ZeroMQError(code, message, systemError: zmq_errno())
    }
}
