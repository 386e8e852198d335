import Logging
import PostgreSQL
import StateChanges
import Store
import Timescale

/// The coordinator's session: holds the migration locks and responds to questions. Once the locks are held, a lost session is a response of its own:
/// the caller stops all commits before it has the session restored.
struct MigrationDatabase: Sendable {
    /// What came of a question.
    enum Reply<Response: Sendable>: Sendable {
        case response(Response)
        /// The session is gone, and the locks with it; nothing is ours until `restore`.
        case sessionLost(StoreError)
    }

    private let session: LockedSession
    private let names: CursorNames
    private let logger: Logger
    private let contracts = ContractReader()
    /// How long the database may be away at the start, and while the run is under way.
    private static let startPatience = ReconnectPolicy(limit: .seconds(30))
    private static let runPatience = ReconnectPolicy(limit: .seconds(300))
    private static let urgentPatience = ReconnectPolicy(limit: .seconds(2))
    private static let lockWait = Duration.seconds(60)
    private static let lockWaitWhileIdle = Duration.seconds(5)

    init(_ configuration: HistoryConfiguration, applicationName: String, logger: Logger) {
        session = LockedSession(to: configuration.database, applicationName: applicationName, logger: logger)
        names = configuration.cursorNames
        self.logger = logger
    }

    /// Connects for the first time, and refuses a database whose tables do not fit.
    func open() async throws(StoreError) {
        try await session.open(Self.startPatience)
        let notes = try await persistently { connection throws(StoreError) in try await Schema.verify(on: connection) }
        notes.log(to: logger)
    }

    /// Everything that phase 1 needs to know; writes nothing.
    func prerequisites(of ids: [ProtocolID]) async throws(StoreError) -> MigrationPrerequisites {
        try await persistently { connection throws(StoreError) in
            try await MigrationPrerequisites.read(ids, names: names, on: connection)
        }
    }

    /// The chunks of the table as they are; none on a plain PostgreSQL.
    func chunks() async throws(StoreError) -> ChunkSurvey {
        try await persistently { connection throws(StoreError) in try await ChunkSurvey.read(on: connection) }
    }

    /// Takes the migration locks; a second migration of one of the protocols is refused with the name of the first.
    func lock(_ ids: [ProtocolID]) async throws(StoreError) {
        try await session.take(
            ids.sorted().flatMap(AdvisoryLock.migrationNames), Self.startPatience, waitingForLocksAtMost: Self.lockWaitWhileIdle)
    }

    /// Marks the protocols in progress and makes their cursors.
    func begin(_ ids: [ProtocolID]) async throws(StoreError) -> [ProtocolID: CursorStart] {
        try await persistently { connection throws(StoreError) in try await MigrationRecords.begin(ids, names: names, on: connection) }
    }

    /// Target, cursors and, where asked for, contracts, in one snapshot.
    func snapshot(of ids: [ProtocolID], withContracts: Bool) async throws(StoreError) -> Reply<HistorySnapshot> {
        try await once { connection throws(StoreError) in
            try await HistorySnapshot.read(ids, names: names, contracts: withContracts ? contracts : nil, on: connection)
        }
    }

    /// Whether a session holds live ingestion's lock.
    func liveIngestionRuns(network: String) async throws(StoreError) -> Reply<Bool> {
        try await once { connection throws(StoreError) in try await LiveIngestion.isRunning(network: network, on: connection) }
    }

    /// Records how protocols ended, while others go on.
    /// - Parameters:
    ///   - reached: those whose history is complete up to a ledger.
    ///   - failed: those that failed.
    /// - Returns: those of `reached` that were marked complete; the cursors of the others do not stand where they stood.
    func record(reached: [ProtocolID: UInt32], failed: [ProtocolID]) async throws(StoreError) -> Reply<Set<ProtocolID>> {
        try await once { connection throws(StoreError) in
            try await Self.record(reached, failed, on: connection)
        }
    }

    /// Swaps history cursors forward over ledgers that are no longer kept.
    /// - Parameters:
    ///   - cursors: where each is believed to stand.
    ///   - ledger: where they are put.
    /// - Returns: the protocols whose cursors were swapped; those of the others did not stand there.
    func moveForward(from cursors: [ProtocolID: UInt32], to ledger: UInt32) async throws(StoreError) -> Reply<Set<ProtocolID>> {
        try await once { connection throws(StoreError) in
            try await MigrationRecords.moveForward(from: cursors, to: ledger, on: connection)
        }
    }

    /// Connects anew and takes the locks again. Call it only when no commit can be under way.
    /// - Throws: `lockHeld` where another migration has them now.
    func restore() async throws(StoreError) {
        try await session.restore(Self.runPatience, waitingForLocksAtMost: Self.lockWait)
    }

    /// Records how protocols ended when the workers are gone.
    /// - Parameter isUrgent: there are only seconds left for it.
    func recordAtTheEnd(
        reached: [ProtocolID: UInt32], failed: [ProtocolID], isUrgent: Bool
    ) async throws(StoreError) -> Set<ProtocolID> {
        let patience = isUrgent ? Self.urgentPatience : Self.startPatience
        return try await session.askPersistently(patience, waitingForLocksAtMost: Self.lockWaitWhileIdle) { connection throws(StoreError) in
            try await Self.record(reached, failed, on: connection)
        }
    }

    private static func record(
        _ reached: [ProtocolID: UInt32], _ failed: [ProtocolID], on connection: PostgresConnection
    ) async throws(StoreError) -> Set<ProtocolID> {
        try await MigrationRecords.setStatus(.failed, failed, on: connection)
        return try await MigrationRecords.complete(reached, on: connection)
    }

    /// Ends the session; its locks go with it.
    func close() async { await session.close() }

    private func once<Response: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Reply<Response> {
        do {
            return .response(try await session.ask(question))
        } catch {
            guard error.needsNewConnection else { throw error }
            return .sessionLost(error)
        }
    }

    /// Asks, on a new connection where the old one broke: nothing is under way that the locks protect.
    private func persistently<Response: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Response {
        try await session.askPersistently(Self.startPatience, waitingForLocksAtMost: Self.lockWaitWhileIdle, question)
    }
}
