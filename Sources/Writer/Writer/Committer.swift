import Logging
import Pipeline
import PostgreSQL
import Protocols
import Store
import ZeroMQ

/// Why the database did not take a commit, or could not be had at all.
struct CommitFailure: Error, Sendable, CustomStringConvertible {
    let description: String
    /// The connection is gone: after the next connection the cursor in the database tells what was committed.
    let connectionLost: Bool
}

/// The writer's connection: holds the fencing locks of its protocols, so that no other writer's commit is still under way, and runs commits.
actor Committer {
    private let database: ConnectionString
    private let logger: Logger
    private var connection: PostgresConnection?
    /// A transaction that collided with live ingestion is repeated this often before the run fails.
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
    func connect(_ protocols: [ProtocolID]) async throws(CommitFailure) {
        var losses = 0
        while true {
            await connection?.close()
            connection = nil
            do throws(StoreError) {
                connection = try await soleWriter(of: protocols)
                logger.info("connected to the database, the only writer", metadata: ["database": "\(database)"])
                return
            } catch {
                losses += 1
                let hasWaited = if case .unreachable = error { true } else { false }
                guard error.isConnectionGone, !hasWaited, losses < Self.maxLosses else {
                    throw CommitFailure(description: "\(error)", connectionLost: true)
                }
                logger.warning("new database connection lost, making another", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func soleWriter(of protocols: [ProtocolID]) async throws(StoreError) -> PostgresConnection {
        let fresh = try await Self.patience.connect(to: database, applicationName: "wallet-backend writer", logger: logger)
        for id in protocols.sorted() {
            try await AdvisoryLock.acquire(AdvisoryLock.writerName(id), waitingAtMost: Self.lockWait, on: fresh, logger: logger)
        }
        try await SessionLimits.set(on: fresh)
        return fresh
    }

    /// Commits a group of batches in one transaction; nothing is committed where it throws, unless the connection was lost.
    func commit(_ group: CommitOrder<Delivery>.Group) async throws(CommitFailure) -> CommitReport {
        guard let connection else { throw CommitFailure(description: "not connected to the database", connectionLost: true) }
        let commit = StateChangeCommit(ledgers: group.ledgers, rows: group.protocols.map { Self.rows(of: $0, in: group) })
        let began = ContinuousClock.now
        var collisions = 0
        while true {
            do {
                let result = try await commit.run(on: connection)
                return report(group, commit, result, ContinuousClock.now - began)
            } catch {
                collisions += 1
                guard error.isTransient, collisions < Self.maxCollisions else {
                    throw CommitFailure(description: "\(error)", connectionLost: error.isConnectionGone)
                }
                logger.info(
                    "transaction collided with another, repeating it", metadata: ["ledgers": "\(group.ledgers)", "cause": "\(error)"])
            }
        }
    }

    private static func rows(of id: ProtocolID, in group: CommitOrder<Delivery>.Group) -> StateChangeRows {
        var count = 0
        var chunks: [any CopyChunk] = []
        for member in group.members {
            guard let index = member.header.parts.firstIndex(where: { $0.protocolID == id }) else { continue }
            count += member.header.parts[index].rows
            chunks += member.payload.frames[index].map { FrameChunk(frame: $0) }
        }
        return StateChangeRows(id, rowCount: count, chunks: chunks)
    }

    private func report(
        _ group: CommitOrder<Delivery>.Group, _ commit: StateChangeCommit, _ result: StateChangeCommit.Result, _ time: Duration
    ) -> CommitReport {
        var swaps: [ProtocolID: CommitReport.Swap] = [:]
        var rows: [ProtocolID: Int] = [:]
        for part in commit.rows {
            switch result.outcomes[part.id] {
            case .swapped:
                swaps[part.id] = .swapped
                rows[part.id] = part.rowCount
            case .refused(.missing), nil: swaps[part.id] = .found(nil)
            case .refused(let reading): swaps[part.id] = .found("\(reading)")
            }
        }
        return CommitReport(
            ledgers: group.ledgers, batches: group.members.map(\.header.batch.id), swaps: swaps, rows: rows,
            bytes: group.members.reduce(0) { $0 + $1.payload.bytes }, seconds: time / .seconds(1))
    }
}

/// A received frame as a piece of a COPY: sent on from where ZeroMQ put it.
private struct FrameChunk: CopyChunk {
    let frame: Frame

    func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError) {
        try frame.withBytes { bytes throws(PostgresError) in try stream.write(bytes) }
    }
}
