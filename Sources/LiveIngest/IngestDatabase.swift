import Logging
import PostgreSQL
import Protocols
import StateChanges
import StellarXDR
import Store

/// Live ingestion's session: holds its lock, and commits on the same session, so that nothing can be committed once the lock is free for others.
struct IngestDatabase: Sendable {
    private let session: LockedSession
    private let names: CursorNames
    private let lock: String
    private let logger: Logger
    /// How long the database may be away or refuse, without any success, and how long it may take to notice that an old session is dead.
    private static let patience = ReconnectPolicy(limit: .seconds(600), firstPause: .seconds(1), longestPause: .seconds(30))
    private static let lockWait = Duration.seconds(60)

    init(_ configuration: IngestConfiguration, applicationName: String, logger: Logger) {
        session = LockedSession(to: configuration.database, applicationName: applicationName, patience: Self.patience, logger: logger)
        names = configuration.cursorNames
        lock = AdvisoryLock.liveIngestionName(network: configuration.network)
        self.logger = logger
    }

    /// Connects, refuses a database whose tables do not fit or whose contracts are malformed, and takes the lock.
    /// - Throws: `lockHeld` with whoever has it: another live ingestion, of this kind or the Go tool's.
    func open() async throws(StoreError) {
        try await session.open(Self.patience)
        let notes = try await persistently { connection throws(StoreError) in try await Schema.verify(on: connection) }
        notes.log(to: logger)
        // Afterwards only the contracts of a ledger's events are looked up: an id that no event can have would never be noticed.
        try await persistently { connection throws(StoreError) in
            try await LiveIngestion.refuseMalformedContracts(of: ProtocolRegistry.ids, on: connection)
        }
        try await session.take([lock], Self.patience, waitingForLocksAtMost: Self.lockWait)
    }

    /// The oldest and the latest ingested ledger.
    func position() async throws(StoreError) -> (oldest: CursorReading, latest: CursorReading) {
        try await persistently { connection throws(StoreError) in try await LiveIngestion.position(names, on: connection) }
    }

    private func persistently<Response: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Response {
        try await session.askPersistently(Self.patience, waitingForLocksAtMost: Self.lockWait, question)
    }

    /// Commits a ledger. Whatever passes by itself is waited for: a lost session, a statement that the server cancelled, a full disk, a failover.
    /// - Parameters:
    ///   - contracts: those that have events in the ledger.
    ///   - rows: as in ``LiveCommit``.
    /// - Returns: nil where the commit took effect but its result was lost with the connection.
    /// - Throws: what does not pass, or did not for as long as patience goes; the ledger is not committed then, as far as can be known.
    func commit(
        _ ledger: UInt32, isFirst: Bool, contracts: Result<Set<Hash32>, LedgerProcessingError>,
        making rows: @escaping @Sendable ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) async throws(LiveCommitError) -> LiveCommit.Result? {
        let commit = LiveCommit(ledger: ledger, isFirst: isFirst, names: names, processors: ProtocolRegistry.ids)
        var losses = Backoff(Self.patience)
        while true {
            let failure: StoreError
            do {
                return try await run(commit, contracts, rows)
            } catch {
                guard case .store(let cause) = error, cause.needsNewConnection, !Task.isCancelled else { throw error }
                failure = cause
            }
            do throws(StoreError) {
                logger.warning("database connection lost, making a new one", metadata: ["ledger": "\(ledger)", "cause": "\(failure)"])
                // A server that cuts every session off is not to be stormed.
                guard let pause = losses.next() else { throw failure }
                if losses.tries > 1 { try await losses.sleep(pause, attempting: "committing ledger \(ledger)") }
                try await session.restore(Self.patience, waitingForLocksAtMost: Self.lockWait)
                if try await position().latest == .ledger(ledger) { return nil }
            } catch {
                throw .store(error)
            }
        }
    }

    private func run(
        _ commit: LiveCommit, _ contracts: Result<Set<Hash32>, LedgerProcessingError>,
        _ rows: @escaping @Sendable ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) async throws(LiveCommitError) -> LiveCommit.Result {
        let result: Result<LiveCommit.Result, LedgerProcessingError>
        do throws(StoreError) {
            result = try await session.ask { connection throws(StoreError) in
                do throws(LiveCommitError) {
                    return .success(try await commit.run(on: connection, contracts: contracts, making: rows))
                } catch {
                    switch error {
                    case .store(let error): throw error
                    case .ledger(let error): return .failure(error)
                    }
                }
            }
        } catch {
            throw .store(error)
        }
        do throws(LedgerProcessingError) { return try result.get() } catch { throw .ledger(error) }
    }

    /// Ends the session; its lock goes with it.
    func close() async { await session.close() }
}
