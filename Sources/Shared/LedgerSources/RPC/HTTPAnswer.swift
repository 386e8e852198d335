internal import NIOCore

/// A whole HTTP answer, whatever its status. Its body is one buffer, which goes back to the pool unless it becomes a page's.
struct HTTPAnswer: Sendable {
    /// The status code.
    var status: Int
    /// `Retry-After`, as it came.
    var retryAfter: String?
    /// `Content-Encoding` other than identity. We never ask for one.
    var encoding: String?
    /// The body.
    var body: ByteBuffer
}

/// Why an answer was not received to its end.
struct AnswerTooLarge: Error {
    /// The size announced, or received so far.
    var bytes: Int
}
