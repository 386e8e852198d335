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
    /// Most tries for an answer that is wrong (malformed JSON, wrong ledgers) rather than missing.
    public var triesForWrongAnswers: Int
    /// What the waits are measured and slept with.
    public var clock: any Clock<Duration>
    /// A number from 0 to 1 for each wait.
    public var random: @Sendable () -> Double

    /// The defaults suit an RPC behind a provider: two minutes cover a restart of it.
    public init(
        base: Duration = .milliseconds(100), cap: Duration = .seconds(10), total: Duration = .seconds(120),
        retryAfterCap: Duration = .seconds(60),
        triesForWrongAnswers: Int = 3, clock: any Clock<Duration> = ContinuousClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
    ) {
        self.base = base
        self.cap = cap
        self.total = total
        self.retryAfterCap = retryAfterCap
        self.triesForWrongAnswers = triesForWrongAnswers
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
        case .aFewTimes: tries < triesForWrongAnswers
        case .never: failure.retryAtOnce && tries < triesForWrongAnswers
        }
    }
}
