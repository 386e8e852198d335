public import Logging
public import PostgreSQL
public import StateChanges
internal import Store

/// Why rows cannot be written into their chunks.
public struct ChunkFailure: Error, Sendable, CustomStringConvertible {
    /// What follows from it.
    public enum Kind: Sendable, Hashable {
        /// The task was cancelled: nobody waits for it.
        case cancelled
        /// The same may succeed later.
        case mayPass
        /// It would not, unless somebody changes something.
        case refused
    }

    /// What follows from it.
    public let kind: Kind
    /// What failed and what to do.
    public let description: String
}

/// Keeps the chunks of `state_changes` ready for the writer: compressed ones are decompressed before it comes to them where that is cheaper than to write into
/// them as they are, and left to the compression policy behind it. On a table that is no hypertable there is nothing to do, and nothing is done.
///
/// Nothing stays changed when the process dies: the policy's next start is moved a few minutes ahead, again and again, while rows are written, so that it
/// does not compress the chunk that is being written; then it comes back by itself. A chunk is decompressed in a transaction of its own.
public actor ChunkKeeper {
    private enum Table {
        case unknown
        /// There is nothing to do.
        case plain
        case hypertable(Hypertable)
    }

    private enum Work {
        case decompress(Chunk)
        case compress(Chunk)

        var chunk: Chunk {
            switch self {
            case .decompress(let chunk), .compress(let chunk): chunk
            }
        }
    }

    private let database: ConnectionString
    private let logger: Logger
    private let clock = ContinuousClock()
    private var plan = ChunkPlan(.auto)
    private var table = Table.unknown
    /// For the catalogue and the policy, never busy for long.
    private var catalogueConnection: PostgresConnection?
    /// Busy with one chunk at a time.
    private var chunkConnection: PostgresConnection?
    private var background: (work: Work, task: Task<Void, Never>)?
    private var lastRead: ContinuousClock.Instant?
    private var lastPostponed: ContinuousClock.Instant?
    private var mayPostpone = true
    /// Chunks of which it was said that they are written as they are.
    private var said: Set<String> = []

    private static let patience = ReconnectPolicy(limit: .seconds(60))
    /// How old the list of chunks may be: the policy, or an operator, changes it too.
    private static let readEvery = Duration.seconds(10)
    private static let postponeEvery = Duration.seconds(60)
    private static let postponedSeconds = 300
    /// Queries and commits of others must not queue for long behind our wait for a chunk's lock.
    private static let lockPatience = "SET lock_timeout = '5s'"

    /// - Parameter database: connected to only where there is something to do.
    public init(database: ConnectionString, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// A round begins: whatever was known is asked again.
    public func begin(_ mode: CompressedChunks) {
        if plan.mode != mode { plan = ChunkPlan(mode) }
        lastRead = nil
        if case .plain = table { table = .unknown }
    }

    // MARK: around a transaction

    /// Sees to it that rows of so many ledgers, with these close times (microseconds since 2000-01-01) can be written, as fast as the chunks allow.
    /// Returns at once on a table that is no hypertable. A cancelled task stops waiting, and what it waited for is rolled back.
    public func prepare(_ times: ClosedRange<Int64>, rows: Int, ledgers: Int) async throws(ChunkFailure) {
        if case .plain = table { return }
        do {
            guard let hypertable = try await hypertable() else { return }
            await postponePolicy(hypertable)
            while true {
                try await read(hypertable, times)
                switch plan.step(before: times, rows: rows, ledgers: ledgers) {
                case .write:
                    sayWhatIsWrittenAsItIs(times, rows, ledgers)
                    startBackground(hypertable)
                    return
                case .decompress(let chunk): try await decompress(chunk, hypertable)
                case .refuse(let chunk):
                    throw ChunkFailure(
                        kind: .refused,
                        description:
                            "\(chunk.name) is compressed, and --compressed-chunks is refuse: have it decompressed, or run with auto or write"
                    )
                }
            }
        } catch let failure as ChunkFailure {
            throw failure
        } catch let error as StoreError {
            throw await failure(error)
        } catch {
            throw ChunkFailure(kind: error is CancellationError ? .cancelled : .mayPass, description: "\(error)")
        }
    }

    /// Rows were committed, in one transaction that took so long.
    public func wrote(_ times: ClosedRange<Int64>, rows: Int, ledgers: Int, seconds: Double) {
        guard case .hypertable = table else { return }
        plan.wrote(times, rows: rows, ledgers: ledgers, seconds: seconds)
    }

    /// The chunks that hold these close times, for a message; nil where there are none to speak of.
    public func description(of times: ClosedRange<Int64>) -> String? {
        guard case .hypertable = table, let chunk = plan.compressed(from: times.lowerBound).first,
            chunk.times.lowerBound <= times.upperBound
        else { return nil }
        return "chunk \(chunk.name), compressed, with \(chunk.batches) batches that each row is compared with"
    }

    /// The run is over. What was decompressed is left to the compression policy, which may come at once.
    public func finish(inGoodOrder: Bool) async {
        background?.task.cancel()
        await background?.task.value
        if inGoodOrder, case .hypertable(let hypertable) = table, lastPostponed != nil {
            // A run before this one may have died, and left chunks open and the policy put off.
            let within = plan.openChunks > 0 ? nil : Self.postponedSeconds
            let moved = try? await ask { session throws(PostgresError) in try hypertable.startPolicy(within: within, in: session) }
            if plan.openChunks > 0 || moved ?? 0 > 0 {
                logger.info(
                    moved ?? 0 > 0
                        ? "decompressed chunks are left to the compression policy, which starts now"
                        : "decompressed chunks are left as they are",
                    metadata: ["chunks": "\(plan.openChunks)"])
            }
        }
        await catalogueConnection?.close()
        await chunkConnection?.close()
        catalogueConnection = nil
        chunkConnection = nil
    }

    // MARK: what the catalogue says

    private func hypertable() async throws -> Hypertable? {
        switch table {
        case .plain: return nil
        case .hypertable(let hypertable): return hypertable
        case .unknown:
            let found = try await ask { session throws(PostgresError) in try Hypertable.find(in: session) }
            if let found, found.hasColumnstore {
                table = .hypertable(found)
                return found
            }
            table = .plain
            await catalogueConnection?.close()
            catalogueConnection = nil
            return nil
        }
    }

    private func read(_ hypertable: Hypertable, _ times: ClosedRange<Int64>) async throws {
        if let lastRead, clock.now - lastRead < Self.readEvery { return }
        let chunks = try await ask { session throws(PostgresError) in try hypertable.chunks(in: session) }
        plan.read(chunks)
        let isFirst = lastRead == nil
        lastRead = clock.now
        let ahead = ChunkSurvey(hypertable, chunks: chunks).from(times.lowerBound)
        if isFirst, !ahead.compressed.isEmpty {
            logger.info("compressed chunks ahead", metadata: ahead.metadata.merging(["mode": "\(plan.mode.rawValue)"]) { $1 })
        }
    }

    /// Nobody may compress the chunk that is being written. Whatever fails here, the rows are written; then perhaps slowly.
    private func postponePolicy(_ hypertable: Hypertable) async {
        guard mayPostpone, lastPostponed.map({ clock.now - $0 >= Self.postponeEvery }) ?? true else { return }
        lastPostponed = clock.now
        do throws(StoreError) {
            let moved = try await ask { session throws(PostgresError) in
                try hypertable.postponePolicy(seconds: Self.postponedSeconds, in: session)
            }
            if moved > 0 { logger.debug("the compression policy is put off", metadata: ["minutes": "\(Self.postponedSeconds / 60)"]) }
        } catch {
            if Task.isCancelled { return }
            mayPostpone = error.underlying?.sqlState != "42501"
            logger.warning(
                mayPostpone
                    ? "the compression policy was not put off, trying again in a minute"
                    : "the compression policy cannot be put off: where it compresses the chunk that is being written, that becomes slow",
                metadata: ["role": "\(hypertable.role)", "owner": "\(hypertable.owner)", "cause": "\(error)"])
        }
    }

    private func sayWhatIsWrittenAsItIs(_ times: ClosedRange<Int64>, _ rows: Int, _ ledgers: Int) {
        for chunk in plan.compressed(from: times.lowerBound)
        where chunk.times.lowerBound <= times.upperBound && said.insert(chunk.name).inserted {
            logger.info(
                "writing into a compressed chunk as it is",
                metadata: [
                    "chunk": "\(chunk.name)",
                    "rows_expected": "\(Int(plan.expectedRows(in: chunk, from: times, rows: rows, ledgers: ledgers)))",
                    "microseconds_a_row": "\(Int(plan.secondsPerRow(into: chunk) * 1e6))",
                    "seconds_to_decompress": "\(Int(ChunkCosts.decompression(of: chunk)))",
                ])
        }
    }

    // MARK: one chunk at a time

    private func decompress(_ chunk: Chunk, _ hypertable: Hypertable) async throws {
        while let background {
            // The chunk itself, or one whose end has to be awaited.
            await withTaskCancellationHandler {
                await background.task.value
            } onCancel: {
                background.task.cancel()
            }
            try Task.checkCancellation()
            if background.work.chunk.name == chunk.name { return }
        }
        try await run(.decompress(chunk), hypertable, isAhead: false)
    }

    private func startBackground(_ hypertable: Hypertable) {
        guard background == nil, let work = plan.ahead.map({ Work.decompress($0) }) ?? plan.behind.map({ Work.compress($0) }) else {
            return
        }
        let task = Task {
            do {
                try await run(work, hypertable, isAhead: true)
            } catch {
                // The writer meets it again when it comes to the chunk.
                logger.debug("chunk not done ahead", metadata: ["chunk": "\(work.chunk.name)", "cause": "\(error)"])
            }
            background = nil
        }
        background = (work, task)
    }

    private func run(_ work: Work, _ hypertable: Hypertable, isAhead: Bool) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await self.carryOut(work, hypertable, isAhead: isAhead)
                return true
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.postponeEvery)
                    await self.postponePolicy(hypertable)
                }
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    private func carryOut(_ work: Work, _ hypertable: Hypertable, isAhead: Bool) async throws {
        let chunk = work.chunk
        let (verb, statement) =
            switch work {
            case .decompress: ("decompress", "SELECT \(hypertable.functions).decompress_chunk($1::regclass, true)")
            case .compress: ("compress", "SELECT \(hypertable.functions).compress_chunk($1::regclass, true)")
            }
        let began = clock.now
        var metadata: Logger.Metadata = [
            "chunk": "\(chunk.name)", "from": "\(chunk.period.from)", "rows": "\(chunk.rows)",
            "megabytes": "\(chunk.bytes >> 20)",
        ]
        let expected = if case .decompress = work { ChunkCosts.decompression(of: chunk) } else { ChunkCosts.compression(of: chunk) }
        logger.info(
            "\(verb)ing a chunk\(isAhead ? "" : " before rows go into it")",
            metadata: metadata.merging(["expected_seconds": "\(Int(expected.rounded(.up)))"]) { $1 })
        while true {
            do throws(StoreError) {
                let connection = try await connectionForChunks()
                try await connection.perform { session throws(StoreError) in
                    do throws(PostgresError) {
                        _ = try session.query(statement, [chunk.name], label: "\(verb)ing chunk \(chunk.name)")
                    } catch {
                        throw .database(error)
                    }
                }
                break
            } catch {
                if error.needsNewConnection { chunkConnection = nil }
                switch error.underlying?.kind {
                case .undefinedTable:
                    logger.info("the chunk is gone: retention has dropped it", metadata: ["chunk": "\(chunk.name)"])
                    plan.gone(chunk)
                    return
                case .lockNotAvailable, .deadlock, .serializationFailure:
                    logger.warning(
                        "waiting for a chunk that others use", metadata: ["chunk": "\(chunk.name)", "cause": "\(error)"])
                    try await Task.sleep(for: .seconds(1))
                default: throw error
                }
            }
        }
        switch work {
        case .decompress: plan.decompressed(chunk)
        case .compress: plan.compressed(chunk)
        }
        metadata["seconds"] = "\(Double(Int((clock.now - began) / .milliseconds(1))) / 1000)"
        logger.info("chunk \(verb)ed", metadata: metadata)
    }

    // MARK: connections

    private func connectionForChunks() async throws(StoreError) -> PostgresConnection {
        if let chunkConnection { return chunkConnection }
        let fresh = try await Self.patience.connect(to: database, applicationName: "wallet-backend writer, chunks", logger: logger)
        try await fresh.perform { session throws(StoreError) in
            do throws(PostgresError) { _ = try session.execute(Self.lockPatience, label: "setting lock_timeout") } catch {
                throw .database(error)
            }
        }
        chunkConnection = fresh
        return fresh
    }

    private func ask<Value: Sendable>(_ question: @Sendable (PostgresSession) throws(PostgresError) -> Value) async throws(StoreError)
        -> Value
    {
        if catalogueConnection == nil {
            catalogueConnection = try await Self.patience.connect(
                to: database, applicationName: "wallet-backend writer, catalogue", logger: logger)
        }
        guard let catalogueConnection else {
            throw .database(PostgresError(kind: .connectionLost, message: "closed", attempted: "reading the catalogue"))
        }
        do throws(StoreError) {
            return try await catalogueConnection.perform { session throws(StoreError) in
                do throws(PostgresError) { return try question(session) } catch { throw .database(error) }
            }
        } catch {
            if error.needsNewConnection { self.catalogueConnection = nil }
            throw error
        }
    }

    private func failure(_ error: StoreError) async -> ChunkFailure {
        if error.underlying?.kind == .cancelled { return ChunkFailure(kind: .cancelled, description: "\(error)") }
        if error.underlying?.sqlState == "42501" {
            var advice = ""
            if let survey = try? await survey() { advice = survey.refusal(.auto).map { ". " + $0 } ?? "" }
            return ChunkFailure(kind: .refused, description: "\(error)\(advice)")
        }
        return ChunkFailure(kind: error.mayPass || error.isTransient ? .mayPass : .refused, description: "\(error)")
    }

    private func survey() async throws(StoreError) -> ChunkSurvey? {
        guard let catalogueConnection else { return nil }
        return try await ChunkSurvey.read(on: catalogueConnection)
    }
}
