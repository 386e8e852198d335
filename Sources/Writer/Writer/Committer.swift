import Logging
import Pipeline
import PostgreSQL
import StateChanges
import Store
import Timescale
import ZeroMQ

/// The writer's connection: holds the fencing locks of its protocols, so that no other writer's commit is still under way, and runs commits.
actor Committer {
    typealias Group = WriterMachine<PeerID, PartRows>.Group

    private let database: ConnectionString
    private let logger: Logger
    private let chunks: ChunkKeeper
    private var connection: PostgresConnection?
    private var size = CommitSize(most: WriterProcess.Machine.Limits().rowsPerTransaction)
    private var preparation: Task<Result<Void, ChunkFailure>, Never>?
    /// The group under way, and the last one that nobody waits for.
    private var number = 0
    private var hurried = -1
    private var round: RoundNumber?
    /// Transactions of a single ledger that were cancelled on end.
    private var cancellations = 0
    private static let maxCancellations = 3
    /// A transaction of several ledgers is cut off then: live ingestion waits for it.
    private static let longestTransaction = Duration.seconds(30)
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
        chunks = ChunkKeeper(database: database, logger: logger)
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

    /// Commits a group of parts in one transaction, or where the database is slow in several; what a failed one had to commit is not in the database, unless
    /// the connection was lost.
    /// - Parameters:
    ///   - number: the group's number, for `hurry`.
    ///   - oldestName: the key of the oldest ledger that is kept.
    ///   - compressed: what is done where rows go into compressed chunks.
    ///   - inPart: gets the report of every transaction but the last one.
    /// - Returns: the report of the last one.
    func commit(
        _ group: Group, number: Int, oldestName: String, compressed: CompressedChunks,
        inPart: @Sendable (CommitReport) -> Void
    ) async throws(CommitFailure) -> CommitReport {
        self.number = number
        if round != group.round {
            round = group.round
            await chunks.begin(compressed)
        }
        var slices = CommitSlices(group)
        while true {
            let slice = try peek(&slices)
            try await prepare(slice)
            let result: CommitReport
            do throws(StoreError) {
                result = try await commit(slice, oldestName)
            } catch {
                guard error.isTimeOut, try await isCutOff(slice, error) else { throw CommitFailure(error) }
                continue
            }
            slices.drop(slice)
            let moved = result.swaps.contains { $0.value == .swapped }
            if slices.isEmpty || !moved { return result }
            inPart(result)
            if isHurried { throw CommitFailure(reason: "the round is over", kind: .abandoned) }
        }
    }

    /// Nobody waits for the group with this number any more: of its transactions only one that has begun still counts.
    func hurry(_ number: Int) {
        hurried = max(hurried, number)
        if isHurried { preparation?.cancel() }
    }

    private var isHurried: Bool { hurried >= number }

    private func peek(_ slices: inout CommitSlices) throws(CommitFailure) -> CommitSlice {
        do throws(TupleError) {
            return try slices.peek(size.isLimited ? size.rows : nil)
        } catch {
            throw CommitFailure(reason: "\(error)", kind: .refused)
        }
    }

    /// Whether a smaller transaction may succeed where this one was cut off.
    private func isCutOff(_ slice: CommitSlice, _ error: StoreError) async throws(CommitFailure) -> Bool {
        if !slice.isSmallest {
            size.cutOff(rows: slice.rowCount)
            logger.warning(
                "transaction cut off, the next ones are smaller",
                metadata: ["ledgers": "\(slice.ledgers)", "rows": "\(slice.rowCount)", "next_rows": "\(size.rows)", "cause": "\(error)"])
            return true
        }
        cancellations += 1
        guard cancellations >= Self.maxCancellations else { return false }
        let place = if let times = slice.times { await chunks.description(of: times) } else { nil as String? }
        throw CommitFailure(
            reason: "the \(slice.rowCount) rows of a single one of the ledgers \(slice.ledgers) were cancelled \(cancellations) times"
                + (place.map { "; they go into \($0)" } ?? "")
                + ". Raise the statement time-out of the database or of its pooler. \(error)",
            kind: .refused)
    }

    /// Has the chunks made ready that the rows go into.
    private func prepare(_ slice: CommitSlice) async throws(CommitFailure) {
        guard let times = slice.times else { return }
        if isHurried { throw CommitFailure(reason: "the round is over", kind: .abandoned) }
        let task = Task { [chunks] () -> Result<Void, ChunkFailure> in
            do throws(ChunkFailure) {
                try await chunks.prepare(times, rows: slice.rowCount, ledgers: slice.ledgers.count)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        preparation = task
        let outcome = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        preparation = nil
        guard case .failure(let failure) = outcome else { return }
        let kind: CommitFailure.Kind =
            switch failure.kind {
            case .cancelled: .abandoned
            case .mayPass: .mayPass
            case .refused: .refused
            }
        throw CommitFailure(reason: "ledgers \(slice.ledgers): \(failure)", kind: kind)
    }

    private func commit(_ slice: CommitSlice, _ oldestName: String) async throws(StoreError) -> CommitReport {
        guard let connection else {
            throw .database(PostgresError(kind: .connectionLost, message: "not connected to the database", attempted: "committing"))
        }
        let commit = StateChangeCommit(
            ledgers: slice.ledgers, rows: slice.rows, oldestName: oldestName,
            timeLimit: slice.isSmallest ? nil : Self.longestTransaction)
        let began = ContinuousClock.now
        var collisions = 0
        while true {
            do throws(StoreError) {
                let result = try await commit.run(on: connection)
                let seconds = (ContinuousClock.now - began) / .seconds(1)
                cancellations = 0
                size.took((result.copyTime + result.commitTime) / .seconds(1), rows: result.storedRows)
                if let times = slice.times, result.storedRows > 0 {
                    await chunks.wrote(
                        times, rows: result.storedRows, ledgers: slice.ledgers.count, seconds: result.copyTime / .seconds(1))
                }
                return report(slice, result, seconds)
            } catch {
                collisions += 1
                guard error.isTransient, collisions < Self.maxCollisions else { throw error }
                logger.info(
                    "transaction collided with another, repeating it", metadata: ["ledgers": "\(slice.ledgers)", "cause": "\(error)"])
            }
        }
    }

    private func report(_ slice: CommitSlice, _ result: StateChangeCommit.Result, _ seconds: Double) -> CommitReport {
        var swaps: [ProtocolID: CommitReport.Swap] = [:]
        var rows: [ProtocolID: Int] = [:]
        for part in slice.rows {
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
        return CommitReport(ledgers: slice.ledgers, swaps: swaps, rows: rows, bytes: slice.bytes, seconds: seconds)
    }

    /// The run is over.
    func finish(inGoodOrder: Bool) async { await chunks.finish(inGoodOrder: inGoodOrder) }
}

extension CommitFailure {
    /// What follows from an error of the database.
    init(_ error: StoreError) {
        let kind: Kind = error.needsNewConnection ? .connectionLost : error.mayPass || error.isTransient ? .mayPass : .refused
        self.init(reason: "\(error)", kind: kind)
    }
}
