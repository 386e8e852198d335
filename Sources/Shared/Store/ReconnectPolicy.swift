public import Logging
public import PostgreSQL

/// How long, and how often, an unreachable database is tried again.
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

    /// Connects, trying again for the policy's time; then throws `unreachable` with the address (no password).
    ///
    /// A refusal that another attempt would not change (password, missing database or role) is thrown at once, as is a cancellation. Every failed
    /// attempt that will be repeated is told to `onFailure`, with the pause before the next one.
    public func connect(
        to address: ConnectionString, applicationName: String, clock: some Clock<Duration> = ContinuousClock(),
        onNotice: @escaping @Sendable (PostgresNotice) -> Void = { _ in },
        onFailure: @Sendable (PostgresError, Duration) -> Void = { _, _ in }
    ) async throws(StoreError) -> PostgresConnection {
        let deadline = clock.now.advanced(by: limit)
        var pause = firstPause
        var attempts = 0
        while true {
            attempts += 1
            do throws(PostgresError) {
                return try await PostgresConnection.connect(address, applicationName: applicationName, onNotice: onNotice)
            } catch {
                guard error.kind == .connectFailed else { throw .database(error) }
                guard !error.refusedForGood, clock.now.advanced(by: pause) < deadline else {
                    throw .unreachable(address: address.redacted, attempts: attempts, last: error)
                }
                onFailure(error, pause)
            }
            do {
                try await clock.sleep(for: pause)
            } catch {
                throw .database(
                    PostgresError(
                        kind: .cancelled, message: "the task was cancelled", attempted: "connecting to the database at \(address)"))
            }
            pause = min(pause * 2, longestPause)
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
