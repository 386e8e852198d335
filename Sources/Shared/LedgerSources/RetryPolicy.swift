internal import Logging

/// How long and how often a transient failure is tried again: exponential backoff with full jitter.
///
/// The wait before try n + 1 is a random part of min(cap, base x 2^(n-1)):
///
///     after try      1       2       3       4     ...   7        8 and later
///     at most      100 ms  200 ms  400 ms  800 ms  ...  6.4 s    10 s
public struct RetryPolicy: Sendable {
    /// Longest wait after the first try.
    public var base: Duration
    /// Longest wait after any try.
    public var cap: Duration
    /// No further try is begun when this much time has passed, or would have after the wait. Zero: one try.
    public var total: Duration
    /// Longest wait that a server's `Retry-After` can ask for.
    public var retryAfterCap: Duration
    /// Most tries for a response that is wrong (malformed JSON, wrong ledgers) rather than missing.
    public var triesForWrongResponses: Int
    /// What the waits are measured and slept with.
    public var clock: any Clock<Duration>
    /// A number from 0 to 1 for each wait.
    public var random: @Sendable () -> Double

    /// The defaults suit an RPC behind a provider: two minutes cover a restart of it.
    public init(
        base: Duration = .milliseconds(100), cap: Duration = .seconds(10), total: Duration = .seconds(120),
        retryAfterCap: Duration = .seconds(60),
        triesForWrongResponses: Int = 3, clock: any Clock<Duration> = ContinuousClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
    ) {
        self.base = base
        self.cap = cap
        self.total = total
        self.retryAfterCap = retryAfterCap
        self.triesForWrongResponses = triesForWrongResponses
        self.clock = clock
        self.random = random
    }

    /// The wait after try number `tries` (from 1).
    public func delay(afterTry tries: Int) -> Duration {
        // 2^20 times any base in use is beyond any cap; it keeps the product from overflowing.
        let longest = min(cap, base * (1 << max(0, min(tries - 1, 20))))
        return longest * min(1, max(0, random()))
    }

    /// The wait after a try that failed with `failure`, the server's wish included.
    func delay(afterTry tries: Int, _ failure: AttemptFailure) -> Duration {
        if failure.retryAtOnce && tries == 1 { return .zero }
        let own = delay(afterTry: tries)
        guard let wish = failure.retryAfter else { return own }
        // Not before the time asked for; a little later, so that not all clients come back in the same instant.
        return min(retryAfterCap, wish) + min(own, base)
    }

    /// Whether a failure of this kind is worth another try after `tries`.
    func allowsAnother(after tries: Int, _ failure: AttemptFailure) -> Bool {
        switch failure.code.repetition {
        case .whileTimeLasts: true
        case .aFewTimes: tries < triesForWrongResponses
        case .never: failure.retryAtOnce && tries < triesForWrongResponses
        }
    }
}

/// Repeats a request as a policy says, and tells of each repetition in the log.
struct Retrying {
    let policy: RetryPolicy
    let endpoint: String
    let logger: Logger

    /// Runs `attempt` (with the number of the try, from 1) until it succeeds, fails for good, the time is used up or the task is cancelled.
    /// - Parameter onRetry: called before each try after the first, with what the one before failed of.
    func run<Value: Sendable>(
        _ what: String, ledgers: ClosedRange<UInt32>? = nil, within total: Duration? = nil, onRetry: (LedgerSourceError.Code) -> Void,
        _ attempt: (Int) async throws(AttemptFailure) -> Value
    ) async throws(LedgerSourceError) -> Value {
        try await run(what, ledgers, total ?? policy.total, on: policy.clock, onRetry, attempt)
    }

    private func run<Value: Sendable, C: Clock<Duration>>(
        _ what: String, _ ledgers: ClosedRange<UInt32>?, _ total: Duration, on clock: C, _ onRetry: (LedgerSourceError.Code) -> Void,
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
                    failure.code, failure.ledger == nil ? "\(what): \(failure.detail)" : failure.detail, endpoint: endpoint,
                    ledgers: failure.ledger.map { $0...$0 } ?? ledgers, tries: tries, elapsed: elapsed)
            }
            tell(what, ledgers, failure, tries, delay)
            onRetry(failure.code)
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
