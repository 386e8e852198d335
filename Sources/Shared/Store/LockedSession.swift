public import Logging
public import PostgreSQL

/// A connection whose session holds advisory locks, and that never comes back without them.
///
/// When the connection breaks, its locks are free for others at once. So nothing reconnects by itself: a question that was asked with `ask` fails with a
/// gone connection (`isConnectionGone`), and so do all others, until the owner has stopped whatever the locks protect and calls `restore`.
public actor LockedSession {
    private let address: ConnectionString
    private let applicationName: String
    private let logger: Logger
    private var connection: PostgresConnection?
    private var locks: [String] = []
    private static let maxCollisions = 20
    /// New connections that are lost again before their locks are held.
    private static let maxLosses = 20

    /// - Parameters:
    ///   - applicationName: what `pg_stat_activity` shows to whoever is refused a lock; the server keeps 63 bytes of it.
    ///   - logger: told of whatever is tried again or waited for.
    public init(to address: ConnectionString, applicationName: String, logger: Logger) {
        self.address = address
        self.applicationName = applicationName
        self.logger = logger
    }

    /// Connects for the first time.
    public func open(_ patience: ReconnectPolicy) async throws(StoreError) {
        connection = try await patience.connect(to: address, applicationName: applicationName, logger: logger)
    }

    /// Takes locks in addition to those that it has; throws `lockHeld`, naming the holder, and then has taken none of them for good: end the session.
    public func take(_ names: [String], _ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration) async throws(StoreError) {
        try await askPersistently(patience, waitingForLocksAtMost: limit) { connection throws(StoreError) in
            for name in names { try await AdvisoryLock.acquire(name, on: connection) }
        }
        locks += names
    }

    /// Connects anew, and takes all locks again before anything else is asked.
    ///
    /// Throws `lockHeld` at once where another program has one of them now.
    /// - Parameter limit: how long to wait for each lock: the server may not have noticed yet that the old session is dead.
    public func restore(_ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration) async throws(StoreError) {
        var losses = 0
        while true {
            await close()
            let fresh = try await patience.connect(to: address, applicationName: applicationName, logger: logger)
            do throws(StoreError) {
                for name in locks { try await retake(name, limit, on: fresh) }
                connection = fresh
                return
            } catch {
                await fresh.close()
                losses += 1
                guard error.isConnectionGone, losses < Self.maxLosses else { throw error }
                tellLoss(error)
            }
        }
    }

    private func retake(_ name: String, _ limit: Duration, on fresh: PostgresConnection) async throws(StoreError) {
        do throws(StoreError) {
            try await AdvisoryLock.acquire(name, on: fresh)
        } catch {
            guard case .lockHeld(_, let holders) = error, holders.allSatisfy({ isOurs($0) }) else { throw error }
            // The server has not noticed yet that the old session is dead.
            try await AdvisoryLock.acquire(name, waitingAtMost: limit, on: fresh, logger: logger)
        }
    }

    /// The name holds process and host, so what bears it is an old session of this process. The server may hide names.
    private func isOurs(_ holder: LockHolder) -> Bool {
        holder.applicationName.map { $0 == String(decoding: applicationName.utf8.prefix(63), as: UTF8.self) } ?? true
    }

    /// Asks; a question that collided with another transaction is repeated, so every question may be asked twice.
    public func ask<Answer: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        var collisions = 0
        while true {
            guard let connection else {
                throw .database(PostgresError(kind: .connectionLost, message: "the session is closed", attempted: "asking \(address)"))
            }
            do {
                return try await question(connection)
            } catch {
                if error.isConnectionGone { await close() }
                collisions += 1
                guard error.isTransient, collisions < Self.maxCollisions else { throw error }
            }
        }
    }

    /// Asks, restoring the session where it is lost: for questions while nothing is under way that the locks protect.
    public func askPersistently<Answer: Sendable>(
        _ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration,
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        var losses = 0
        while true {
            do {
                return try await ask(question)
            } catch {
                losses += 1
                guard error.isConnectionGone, losses < Self.maxLosses else { throw error }
                tellLoss(error)
                try await restore(patience, waitingForLocksAtMost: limit)
            }
        }
    }

    /// Ends the session; its locks go with it.
    public func close() async {
        await connection?.close()
        connection = nil
    }

    private func tellLoss(_ error: StoreError) {
        logger.warning("database connection lost, making a new one", metadata: ["cause": "\(error)"])
    }
}
