public import Logging
public import PostgreSQL

/// How long, and how often, an unreachable database, or one that refuses for now, is tried again.
public struct ReconnectPolicy: Sendable, Hashable {
    /// The time for all attempts and the pauses between them.
    public var limit: Duration
    /// The pause after the first failed attempt; doubled after each further one.
    public var firstPause: Duration
    /// The longest pause.
    public var longestPause: Duration

    /// Half a minute in all, pauses from 0.2 s to 5 s.
    public init(limit: Duration = .seconds(30), firstPause: Duration = .milliseconds(200), longestPause: Duration = .seconds(5)) {
        self.limit = limit
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Connects, trying again for the policy's time; then throws `unreachable` with the address (no password). The session's limits are set.
    ///
    /// A refusal that another attempt would not change (password, missing database or role) is thrown at once, as is a cancellation. Every failed
    /// attempt that will be repeated is reported to `onFailure`, with the pause before the next one.
    public func connect(
        to address: ConnectionString, applicationName: String, clock: some Clock<Duration> = ContinuousClock(),
        onNotice: @escaping @Sendable (PostgresNotice) -> Void = { _ in },
        onFailure: @Sendable (PostgresError, Duration) -> Void = { _, _ in }
    ) async throws(StoreError) -> PostgresConnection {
        var backoff = Backoff(self, clock: clock)
        while true {
            let failure: PostgresError
            do throws(PostgresError) {
                let connection = try await PostgresConnection.connect(address, applicationName: applicationName, onNotice: onNotice)
                try await connection.execute(SessionLimits.script, label: SessionLimits.label)
                return connection
            } catch {
                guard error.kind == .connectFailed || error.mayPass else { throw .database(error) }
                failure = error
            }
            let pause = backoff.next()
            guard let pause, !failure.refusedForGood else {
                throw .unreachable(address: address.redacted, attempts: backoff.tries, last: failure)
            }
            onFailure(failure, pause)
            try await backoff.sleep(pause, attempting: "connecting to the database at \(address)")
        }
    }

    /// The same, with a line in the log for each failed attempt that will be repeated.
    public func connect(to address: ConnectionString, applicationName: String, logger: Logger) async throws(StoreError)
        -> PostgresConnection
    {
        try await connect(
            to: address, applicationName: applicationName,
            onFailure: { error, pause in
                logger.warning("database not reached, trying again", metadata: ["cause": "\(error)", "pause": "\(pause)"])
            })
    }
}

/// The pauses between the attempts at one thing: each twice as long as the one before, until the time is up.
public struct Backoff<C: Clock>: Sendable where C.Duration == Duration {
    private let policy: ReconnectPolicy
    private let clock: C
    private let began: C.Instant
    private var pause: Duration
    /// Attempts that have failed.
    public private(set) var tries = 0

    /// The time begins now.
    public init(_ policy: ReconnectPolicy, clock: C = ContinuousClock()) {
        self.policy = policy
        self.clock = clock
        began = clock.now
        pause = policy.firstPause
    }

    /// The time since the beginning.
    public var elapsed: Duration { began.duration(to: clock.now) }

    /// An attempt has failed: returns the pause before the next one, nil where the time would be up after it.
    public mutating func next() -> Duration? {
        tries += 1
        guard elapsed + pause < policy.limit else { return nil }
        defer { pause = min(pause * 2, policy.longestPause) }
        return pause
    }

    /// Waits; a cancelled task gets an error of kind `cancelled`.
    public func sleep(_ pause: Duration, attempting attempted: String) async throws(StoreError) {
        do {
            try await clock.sleep(for: pause)
        } catch {
            throw .database(PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted))
        }
    }
}

/// What a session may take its time for, whatever the defaults of server, database and role.
///
/// A COPY that takes long is no error, nor is a wait for a lock. But a process that hangs in the midst of its transaction would hold cursors on which
/// others wait: the server ends its session after a minute.
public enum SessionLimits {
    fileprivate static let script = """
        SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = '1min';
        SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'
        """
    fileprivate static let label = "setting the session's limits"

    /// Sets them for a session that was not opened by a `ReconnectPolicy`, which does so itself.
    public static func set(on connection: PostgresConnection) async throws(StoreError) {
        try await connection.perform { session throws(StoreError) in
            try StoreError.wrapping { () throws(PostgresError) in _ = try session.execute(script, label: label) }
        }
    }
}
