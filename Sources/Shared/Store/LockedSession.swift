public import Logging
public import PostgreSQL

/// A connection whose session holds advisory locks, and that never comes back without them.
///
/// When the connection breaks, its locks are free for others at once. So nothing reconnects by itself: a question that was asked with `ask` fails with
/// `needsNewConnection`, and so do all others, until the owner has stopped whatever the locks protect and calls `restore`. What the server refuses for
/// now while the session stands (a cancelled statement, a full disk) is asked again by itself.
public actor LockedSession {
    private let address: ConnectionString
    private let applicationName: String
    private let patience: ReconnectPolicy
    private let logger: Logger
    private var connection: PostgresConnection?
    private var locks: [String] = []
    /// Since when the server refuses; nil after a success.
    private var refusals: Backoff<ContinuousClock>?
    private static let maxCollisions = 20
    /// Sessions that are lost one after another over one question.
    private static let maxLosses = 20

    /// - Parameters:
    ///   - applicationName: what `pg_stat_activity` shows to whoever is refused a lock; the server keeps 63 bytes of it.
    ///   - patience: for how long, without any success, what the server refuses for now is asked again.
    ///   - logger: gets a line for whatever is tried again or waited for.
    public init(
        to address: ConnectionString, applicationName: String, patience: ReconnectPolicy = ReconnectPolicy(limit: .seconds(300)),
        logger: Logger
    ) {
        self.address = address
        self.applicationName = applicationName
        self.patience = patience
        self.logger = logger
    }

    /// Connects for the first time, to a server that takes writes.
    public func open(_ patience: ReconnectPolicy) async throws(StoreError) {
        connection = try await connect(patience, locking: [], waitingAtMost: .zero)
    }

    /// Takes locks in addition to those that it has; throws `lockHeld`, naming the holder, and then has taken none of them for good: end the session.
    public func take(_ names: [String], _ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration) async throws(StoreError) {
        try await askPersistently(patience, waitingForLocksAtMost: limit) { connection throws(StoreError) in
            for name in names { try await AdvisoryLock.acquire(name, on: connection) }
        }
        locks += names
    }

    /// Connects anew, to a server that takes writes, and takes all locks again before anything else is asked.
    ///
    /// Throws `lockHeld` at once where another program has one of them now.
    /// - Parameter limit: how long to wait for each lock: the server may not have noticed yet that the old session is dead.
    public func restore(_ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration) async throws(StoreError) {
        await close()
        connection = try await connect(patience, locking: locks, waitingAtMost: limit)
    }

    /// A session that is ready for use. One that is lost or refused before it is, is followed by another.
    private func connect(
        _ patience: ReconnectPolicy, locking locks: [String], waitingAtMost limit: Duration
    ) async throws(StoreError) -> PostgresConnection {
        var backoff = Backoff(patience)
        while true {
            let fresh = try await patience.connect(to: address, applicationName: applicationName, logger: logger)
            let failure: PostgresError
            do throws(StoreError) {
                try await fresh.requireWrites()
                for name in locks { try await retake(name, limit, on: fresh) }
                return fresh
            } catch {
                await fresh.close()
                guard error.mayPass, let cause = error.underlying else { throw error }
                failure = cause
            }
            guard let pause = backoff.next() else { throw .refused(for: backoff.elapsed, tries: backoff.tries, last: failure) }
            logger.warning(
                "new database connection is of no use yet, making another", metadata: ["cause": "\(failure)", "pause": "\(pause)"])
            try await backoff.sleep(pause, attempting: "connecting to the database at \(address)")
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

    /// Asks; every question may be asked several times. One that collided with another transaction is repeated at once, one that the server refuses for
    /// now after a pause, until there was no success for as long as the session's patience goes: then `refused` is thrown.
    ///
    /// A server that takes no writes any more may have become a standby: after a pause the session is closed, as if it were lost.
    public func ask<Response: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Response {
        var collisions = 0
        while true {
            guard let connection else {
                throw .database(PostgresError(kind: .connectionLost, message: "the session is closed", attempted: "asking \(address)"))
            }
            do {
                let response = try await question(connection)
                refusals = nil
                return response
            } catch {
                if error.isConnectionGone {
                    await close()
                    throw error
                }
                if error.isTransient {
                    collisions += 1
                    guard collisions < Self.maxCollisions else { throw error }
                    continue
                }
                guard error.mayPass, let cause = error.underlying else { throw error }
                try await pause(after: cause)
                if error.needsNewConnection {
                    await close()
                    throw error
                }
            }
        }
    }

    private func pause(after cause: PostgresError) async throws(StoreError) {
        var backoff = refusals ?? Backoff(patience)
        guard let pause = backoff.next() else {
            refusals = nil
            throw .refused(for: backoff.elapsed, tries: backoff.tries, last: cause)
        }
        refusals = backoff
        logger.warning("the database refuses for now, trying again", metadata: ["cause": "\(cause)", "pause": "\(pause)"])
        try await backoff.sleep(pause, attempting: cause.attempted)
    }

    /// Asks, restoring the session where it is lost: for questions while nothing is under way that the locks protect.
    public func askPersistently<Response: Sendable>(
        _ patience: ReconnectPolicy, waitingForLocksAtMost limit: Duration,
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Response {
        var losses = 0
        while true {
            do {
                return try await ask(question)
            } catch {
                if error.isConnectionGone { losses += 1 }
                guard error.needsNewConnection, losses < Self.maxLosses else { throw error }
                logger.warning("database connection lost, making a new one", metadata: ["cause": "\(error)"])
                try await restore(patience, waitingForLocksAtMost: limit)
            }
        }
    }

    /// Ends the session; its locks go with it.
    public func close() async {
        await connection?.close()
        connection = nil
    }
}

extension PostgresConnection {
    /// Throws an error of kind `readOnlyServer` where no transaction that may write can begin: a standby, also one that was the primary before.
    public func requireWrites() async throws(StoreError) {
        try await perform { session throws(StoreError) in
            try StoreError.wrapping { () throws(PostgresError) in
                try session.begin(.readCommitted, label: "asking whether the server takes writes")
                session.rollbackIfOpen()
            }
        }
    }
}
