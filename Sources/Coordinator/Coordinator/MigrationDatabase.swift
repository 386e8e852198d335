import Logging
import PostgreSQL
import Protocols
import Store

/// The coordinator's connection: holds the migration locks, answers questions, and is made anew, locks first, where it broke.
actor MigrationDatabase {
    private let address: ConnectionString
    private let names: CursorNames
    private let applicationName: String
    private let logger: Logger
    private var connection: PostgresConnection?
    private var locked: [ProtocolID] = []
    private var reconnected = false
    /// How long the database may be away at the start, and while the run is under way.
    private static let startPatience = ReconnectPolicy(limit: .seconds(30))
    private static let runPatience = ReconnectPolicy(limit: .seconds(300))
    private static let maxAttempts = 20

    init(_ configuration: HistoryConfiguration, applicationName: String, logger: Logger) {
        address = configuration.database
        names = configuration.cursorNames
        self.applicationName = applicationName
        self.logger = logger
    }

    /// Connects for the first time, and refuses a database whose tables do not fit.
    func open() async throws(StoreError) {
        let fresh = try await connect(Self.startPatience)
        try await Schema.verify(on: fresh)
        connection = fresh
    }

    /// Everything that phase 1 needs to know; writes nothing.
    func prerequisites(of ids: [ProtocolID]) async throws(StoreError) -> MigrationPrerequisites {
        try await asking { connection throws(StoreError) in try await MigrationPrerequisites.read(ids, names: self.names, on: connection) }
    }

    /// Takes the migration locks; a second migration of one of the protocols is refused with the name of the first.
    func lock(_ ids: [ProtocolID]) async throws(StoreError) {
        try await asking { connection throws(StoreError) in
            for id in ids.sorted() { try await AdvisoryLock.acquire(AdvisoryLock.migrationName(id), on: connection) }
        }
        locked = ids
    }

    /// Marks the protocols in progress and makes their cursors.
    func begin(_ ids: [ProtocolID]) async throws(StoreError) -> [ProtocolID: CursorStart] {
        try await asking { connection throws(StoreError) in try await MigrationRecords.begin(ids, names: self.names, on: connection) }
    }

    /// Target, cursors and contracts in one snapshot, and whether the connection was made anew since the last one: the server may have crashed.
    func snapshot(of ids: [ProtocolID], withContracts: Bool) async throws(StoreError) -> (HistorySnapshot, reconnected: Bool) {
        let snapshot = try await asking { connection throws(StoreError) in
            try await HistorySnapshot.read(ids, names: self.names, withContracts: withContracts, on: connection)
        }
        defer { reconnected = false }
        return (snapshot, reconnected)
    }

    /// Whether a session holds live ingestion's lock.
    func liveIngestionRuns(network: String) async throws(StoreError) -> Bool {
        try await asking { connection throws(StoreError) in try await LiveIngestion.isRunning(network: network, on: connection) }
    }

    /// Records how protocols ended.
    func setStatus(_ status: ProtocolStatus, of ids: [ProtocolID]) async throws(StoreError) {
        try await asking { connection throws(StoreError) in try await MigrationRecords.setStatus(status, ids, on: connection) }
    }

    /// Ends the session; its locks go with it.
    func close() async {
        await connection?.close()
        connection = nil
    }

    /// Asks, on a new connection where the old one broke: every question may be asked twice.
    private func asking<Answer: Sendable>(
        _ question: (PostgresConnection) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        var attempts = 0
        while true {
            attempts += 1
            let current: PostgresConnection
            if let connection {
                current = connection
            } else {
                current = try await reconnect()
            }
            do {
                return try await question(current)
            } catch {
                guard error.isConnectionGone || error.isTransient, attempts < Self.maxAttempts else { throw error }
                if error.isConnectionGone {
                    logger.warning("database connection lost, making a new one", metadata: ["cause": "\(error)"])
                    await current.close()
                    connection = nil
                }
            }
        }
    }

    private func reconnect() async throws(StoreError) -> PostgresConnection {
        let fresh = try await connect(Self.runPatience)
        // The locks went with the old session: nothing is done before they are ours again.
        for id in locked.sorted() { try await AdvisoryLock.acquire(AdvisoryLock.migrationName(id), waitingAtMost: .seconds(60), on: fresh) }
        connection = fresh
        reconnected = true
        return fresh
    }

    private func connect(_ patience: ReconnectPolicy) async throws(StoreError) -> PostgresConnection {
        let logger = logger
        return try await patience.connect(
            to: address, applicationName: applicationName,
            onFailure: { error, pause in
                logger.warning("database not reached, trying again", metadata: ["cause": "\(error)", "pause": "\(pause)"])
            })
    }
}
