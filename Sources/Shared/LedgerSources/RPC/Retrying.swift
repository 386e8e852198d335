internal import Logging

/// Repeats a request as a policy says, and tells of each repetition in the log.
struct Retrying {
    let policy: RetryPolicy
    let endpoint: String
    let logger: Logger

    /// Runs `attempt` (with the number of the try, from 1) until it succeeds, fails for good, the time is used up or the task is cancelled.
    /// - Parameter onRetry: called before each try after the first.
    func run<Value: Sendable>(
        _ what: String, ledgers: ClosedRange<UInt32>? = nil, within total: Duration? = nil, onRetry: () -> Void,
        _ attempt: (Int) async throws(AttemptFailure) -> Value
    ) async throws(LedgerSourceError) -> Value {
        try await run(what, ledgers, total ?? policy.total, on: policy.clock, onRetry, attempt)
    }

    private func run<Value: Sendable, C: Clock<Duration>>(
        _ what: String, _ ledgers: ClosedRange<UInt32>?, _ total: Duration, on clock: C, _ onRetry: () -> Void,
        _ attempt: (Int) async throws(AttemptFailure) -> Value
    ) async throws(LedgerSourceError) -> Value {
        let start = clock.now
        var tries = 0
        while true {
            tries += 1
            let failure: AttemptFailure
            do throws(AttemptFailure) {
                if Task.isCancelled { throw AttemptFailure(.cancelled, "\(what) was cancelled") }
                return try await attempt(tries)
            } catch {
                failure = error
            }
            let elapsed = start.duration(to: clock.now)
            let delay = policy.delay(afterTry: tries, failure)
            guard policy.allowsAnother(after: tries, failure), elapsed + delay <= total else {
                throw LedgerSourceError(
                    failure.code, "\(what): \(failure.detail)", endpoint: endpoint, ledgers: ledgers, tries: tries, elapsed: elapsed)
            }
            tell(what, ledgers, failure, tries, delay)
            onRetry()
            do {
                if delay > .zero { try await clock.sleep(until: clock.now.advanced(by: delay), tolerance: nil) }
            } catch {
                throw LedgerSourceError(
                    .cancelled, "\(what) was cancelled", endpoint: endpoint, ledgers: ledgers, tries: tries,
                    elapsed: start.duration(to: clock.now))
            }
        }
    }

    /// The first repetitions are everyday life; one that keeps failing is something to look at.
    private func tell(_ what: String, _ ledgers: ClosedRange<UInt32>?, _ failure: AttemptFailure, _ tries: Int, _ delay: Duration) {
        var metadata: Logger.Metadata = [
            "endpoint": "\(endpoint)", "try": "\(tries)", "delay": "\(delay.roundedToMilliseconds)",
            "cause": "\(failure.code.rawValue): \(failure.detail)",
        ]
        if let ledgers { metadata["ledgers"] = "\(ledgers.lowerBound)-\(ledgers.upperBound)" }
        logger.log(level: tries < 3 ? .info : .warning, "\(what) failed, trying again", metadata: metadata)
    }
}
