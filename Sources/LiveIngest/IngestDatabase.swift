import Logging
import PostgreSQL
import Protocols
import StellarXDR
import Store

/// Live ingestion's session: holds its lock, and commits on the same session, so that nothing can be committed once the lock is free for others.
struct IngestDatabase: Sendable {
    private let session: LockedSession
    private let names: CursorNames
    private let lock: String
    private let logger: Logger
    /// How long the database may be away, and how long it may take to notice that an old session is dead.
    private static let patience = ReconnectPolicy(limit: .seconds(600))
    private static let lockWait = Duration.seconds(60)
    /// Failures of one ledger that are neither a lost session nor the ledger's own fault: a full disk, a server that refuses writes.
    private static let maxFailures = 10

    init(_ configuration: IngestConfiguration, applicationName: String, logger: Logger) {
        session = LockedSession(to: configuration.database, applicationName: applicationName, logger: logger)
        names = configuration.cursorNames
        lock = AdvisoryLock.liveIngestionName(network: configuration.network)
        self.logger = logger
    }

    /// Connects, refuses a database whose tables do not fit, and takes the lock.
    /// - Throws: `lockHeld` with whoever has it: another live ingestion, of this kind or the Go tool's.
    func open() async throws(StoreError) {
        try await session.open(Self.patience)
        try await persistently { connection throws(StoreError) in try await Schema.verify(on: connection) }
        try await session.take([lock], Self.patience, waitingForLocksAtMost: Self.lockWait)
    }

    /// The oldest and the latest ingested ledger.
    func position() async throws(StoreError) -> (oldest: CursorReading, latest: CursorReading) {
        try await persistently { connection throws(StoreError) in try await LiveIngestion.position(names, on: connection) }
    }

    private func persistently<Answer: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await session.askPersistently(Self.patience, waitingForLocksAtMost: Self.lockWait, question)
    }

    /// Commits a ledger, however often the database has to be asked.
    /// - Returns: nil where the commit took effect but its answer was lost with the connection.
    /// - Throws: `StoreError` or `LedgerProcessingError`; the ledger is not committed then, as far as can be known.
    func commit(
        _ ledger: UInt32, isFirst: Bool,
        making rows: @escaping @Sendable ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) async throws -> LiveCommit.Result? {
        let commit = LiveCommit(ledger: ledger, isFirst: isFirst, names: names, processors: ProtocolRegistry.ids)
        var failures = 0
        var losses = 0
        while true {
            do {
                return try await run(commit, rows).get()
            } catch let error as StoreError {
                switch error {
                case .unreachable:
                    throw error
                case _ where error.isConnectionGone:
                    logger.warning("database connection lost, making a new one", metadata: ["ledger": "\(ledger)", "cause": "\(error)"])
                    // A server that cuts every session off is not to be stormed.
                    if losses > 0 { try await Task.sleep(for: Self.pause(afterTry: losses)) }
                    losses += 1
                    try await session.restore(Self.patience, waitingForLocksAtMost: Self.lockWait)
                    if try await position().latest == .ledger(ledger) { return nil }
                case .commitFailed(_, let cause) where cause.kind != .cancelled && failures + 1 < Self.maxFailures:
                    failures += 1
                    let pause = Self.pause(afterTry: failures)
                    logger.error("ledger not committed, trying again", metadata: ["cause": "\(error)", "pause": "\(pause)"])
                    try await Task.sleep(for: pause)
                default:
                    throw error
                }
            }
        }
    }

    /// 1, 2, 4, ... up to 30 s.
    private static func pause(afterTry tries: Int) -> Duration { .seconds(min(30, 1 << min(tries - 1, 5))) }

    /// Ends the session; its lock goes with it.
    func close() async { await session.close() }

    private func run(
        _ commit: LiveCommit,
        _ rows: @escaping @Sendable ([ProtocolID], [ProtocolID: [Hash32]]) throws(LedgerProcessingError) -> [StateChangeRows]
    ) async throws(StoreError) -> Result<LiveCommit.Result, LedgerProcessingError> {
        try await session.ask { connection throws(StoreError) in
            do throws(LiveCommitError) {
                return .success(try await commit.run(on: connection, making: rows))
            } catch {
                switch error {
                case .store(let error): throw error
                case .ledger(let error): return .failure(error)
                }
            }
        }
    }
}
