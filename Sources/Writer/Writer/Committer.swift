import Logging
import Pipeline
import PostgreSQL
import StateChanges
import Store
import ZeroMQ

/// The writer's connection: holds the fencing locks of its protocols, so that no other writer's commit is still under way, and runs commits.
actor Committer {
    typealias Group = WriterMachine<PeerID, PartRows>.Group

    private let database: ConnectionString
    private let logger: Logger
    private var connection: PostgresConnection?
    /// A transaction that collided with live ingestion is repeated this often before the round is interrupted.
    private static let maxCollisions = 10
    /// How long the database may be away, and how long an old writer's session may linger.
    private static let patience = ReconnectPolicy(limit: .seconds(300))
    private static let lockWait = Duration.seconds(120)
    /// New connections that are lost again before the locks are held.
    private static let maxLosses = 20

    init(database: ConnectionString, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Connects anew and waits until this is the only writer of the protocols.
    func connect(_ protocols: [ProtocolID]) async throws(StoreError) {
        var losses = 0
        while true {
            await disconnect()
            do throws(StoreError) {
                connection = try await soleWriter(of: protocols)
                logger.info("connected to the database, the only writer", metadata: ["database": "\(database)"])
                return
            } catch {
                losses += 1
                let hasWaited = if case .unreachable = error { true } else { false }
                guard error.mayPass, !hasWaited, losses < Self.maxLosses else { throw error }
                logger.warning("new database connection lost, making another", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func soleWriter(of protocols: [ProtocolID]) async throws(StoreError) -> PostgresConnection {
        let fresh = try await Self.patience.connect(to: database, applicationName: "wallet-backend writer", logger: logger)
        do throws(StoreError) {
            for name in AdvisoryLock.writerNames(protocols) {
                try await AdvisoryLock.acquire(name, waitingAtMost: Self.lockWait, on: fresh, logger: logger)
            }
            try await fresh.requireWrites()
        } catch {
            await fresh.close()
            throw error
        }
        return fresh
    }

    /// Ends the session; its locks go with it.
    func disconnect() async {
        await connection?.close()
        connection = nil
    }

    /// Waits, then sees whether the database takes transactions: a number for one is given only where something may be written.
    /// - Returns: why not, nil where it does.
    func check(after pause: Duration) async -> CommitFailure? {
        do {
            try await Task.sleep(for: pause)
            guard let connection else { return CommitFailure(reason: "not connected to the database", kind: .connectionLost) }
            try await connection.execute(
                "BEGIN READ WRITE; SELECT pg_current_xact_id(); COMMIT", label: "checking that the database takes transactions")
            return nil
        } catch {
            guard let error = error as? PostgresError else { return CommitFailure(reason: "\(error)", kind: .mayPass) }
            await connection?.perform { $0.rollbackIfOpen() }
            return CommitFailure(reason: "\(error)", kind: error.needsNewConnection ? .connectionLost : .mayPass)
        }
    }

    /// Commits a group of parts in one transaction; nothing is committed where it throws, unless the connection was lost.
    /// - Parameter oldestName: the key of the oldest ledger that is kept.
    func commit(_ group: Group, oldestName: String) async throws(CommitFailure) -> CommitReport {
        guard let connection else { throw CommitFailure(reason: "not connected to the database", kind: .connectionLost) }
        let commit = StateChangeCommit(
            ledgers: group.ledgers, rows: group.protocols.map { Self.rows(of: $0, in: group) }, oldestName: oldestName)
        let began = ContinuousClock.now
        var collisions = 0
        while true {
            do {
                let result = try await commit.run(on: connection)
                return report(group, commit, result, ContinuousClock.now - began)
            } catch {
                collisions += 1
                guard error.isTransient, collisions < Self.maxCollisions else { throw CommitFailure(error) }
                logger.info(
                    "transaction collided with another, repeating it", metadata: ["ledgers": "\(group.ledgers)", "cause": "\(error)"])
            }
        }
    }

    private static func rows(of id: ProtocolID, in group: Group) -> StateChangeRows {
        var count = 0
        var chunks: [any CopyChunk] = []
        for part in group.parts {
            guard let index = part.header.rows.firstIndex(where: { $0.protocolID == id }) else { continue }
            count += part.header.rows[index].count
            chunks += part.payload.frames[index].map { FrameChunk(frame: $0) }
        }
        return StateChangeRows(id, rowCount: count, chunks: chunks)
    }

    private func report(
        _ group: Group, _ commit: StateChangeCommit, _ result: StateChangeCommit.Result, _ time: Duration
    ) -> CommitReport {
        var swaps: [ProtocolID: CommitReport.Swap] = [:]
        var rows: [ProtocolID: Int] = [:]
        for part in commit.rows {
            if let oldest = result.belowOldest {
                swaps[part.id] = .belowOldest(oldest)
                continue
            }
            switch result.outcomes[part.id] {
            case .swapped:
                swaps[part.id] = .swapped
                rows[part.id] = part.rowCount
            case .refused(.missing), nil: swaps[part.id] = .found(nil)
            case .refused(let reading): swaps[part.id] = .found("\(reading)")
            }
        }
        return CommitReport(ledgers: group.ledgers, swaps: swaps, rows: rows, bytes: group.bytes, seconds: time / .seconds(1))
    }
}

extension CommitFailure {
    /// What follows from an error of the database.
    init(_ error: StoreError) {
        let kind: Kind = error.needsNewConnection ? .connectionLost : error.mayPass || error.isTransient ? .mayPass : .refused
        self.init(reason: "\(error)", kind: kind)
    }
}

/// A received frame as a piece of a COPY: sent on from where ZeroMQ put it.
private struct FrameChunk: CopyChunk {
    let frame: Frame

    func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError) {
        try frame.withBytes { bytes throws(PostgresError) in try stream.write(bytes) }
    }
}
