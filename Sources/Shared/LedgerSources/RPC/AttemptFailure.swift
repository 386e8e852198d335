/// Why one try of a request failed.
struct AttemptFailure: Error {
    /// The kind of failure.
    var code: LedgerSourceError.Code
    /// What happened, for a person.
    var detail: String
    /// How long the server wants to be left alone.
    var retryAfter: Duration?
    /// The next try should not wait: a kept connection turned out to be dead, or a limit was just learned.
    var retryAtOnce = false

    init(_ code: LedgerSourceError.Code, _ detail: String, retryAfter: Duration? = nil, retryAtOnce: Bool = false) {
        self.code = code
        self.detail = detail
        self.retryAfter = retryAfter
        self.retryAtOnce = retryAtOnce
    }
}
