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
        case hypertable(ChunkCatalog)
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
    /// For the catalogue and the policy, never for long.
    private var watch: PostgresConnection?
    /// For one chunk at a time.
    private var labour: PostgresConnection?
    private var background: (work: Work, task: Task<Void, Never>)?
    private var isRead: ContinuousClock.Instant?
    private var isHeld: ContinuousClock.Instant?
    private var mayHold = true
    private var said: Set<String> = []

    private static let patience = ReconnectPolicy(limit: .seconds(60))
    /// How old the list of chunks may be: the policy, or an operator, changes it too.
    private static let readEvery = Duration.seconds(10)
    private static let holdEvery = Duration.seconds(60)
    private static let holdSeconds = 300
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
        isRead = nil
        table = .unknown
    }

    // MARK: around a transaction

    /// Sees to it that rows of so many ledgers, with these close times (microseconds since 2000-01-01) can be written, as fast as the chunks allow. Returns at once on a table that
    /// is no hypertable. A cancelled task stops waiting, and what it waited for is rolled back.
    public func prepare(_ times: ClosedRange<Int64>, rows: Int, ledgers: Int) async throws(ChunkFailure) {
        if case .plain = table { return }
        do {
            guard let catalog = try await catalog() else { return }
            try await hold(catalog)
            while true {
                try await read(catalog, times)
                switch plan.step(before: times, rows: rows, ledgers: ledgers) {
                case .write:
                    sayWhatIsWrittenAsItIs(times, rows, ledgers)
                    startBackground(catalog)
                    return
                case .decompress(let chunk): try await decompress(chunk, catalog)
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
            throw ChunkFailure(kind: .cancelled, description: "\(error)")
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
        if inGoodOrder, case .hypertable(let catalog) = table, plan.openChunks > 0 {
            let moved = try? await ask { session throws(PostgresError) in try catalog.startPolicy(in: session) }
            logger.info(
                moved ?? 0 > 0
                    ? "decompressed chunks are left to the compression policy, which starts now"
                    : "decompressed chunks are left as they are",
                metadata: ["chunks": "\(plan.openChunks)"])
        }
        await watch?.close()
        await labour?.close()
        watch = nil
        labour = nil
    }

    // MARK: what the catalogue says

    private func catalog() async throws -> ChunkCatalog? {
        switch table {
        case .plain: return nil
        case .hypertable(let catalog): return catalog
        case .unknown:
            let found = try await ask { session throws(PostgresError) in try ChunkCatalog.find(in: session) }
            table = found.map { .hypertable($0) } ?? .plain
            guard let found else {
                await watch?.close()
                watch = nil
                return nil
            }
            return found
        }
    }

    private func read(_ catalog: ChunkCatalog, _ times: ClosedRange<Int64>) async throws {
        if let isRead, clock.now - isRead < Self.readEvery { return }
        let chunks = try await ask { session throws(PostgresError) in try catalog.chunks(in: session) }
        plan.read(chunks)
        let isFirst = isRead == nil
        isRead = clock.now
        let ahead = plan.compressed(from: times.lowerBound)
        if isFirst, !ahead.isEmpty {
            logger.info(
                "compressed chunks ahead",
                metadata: [
                    "chunks": "\(ahead.count)", "rows": "\(ahead.reduce(0) { $0 + $1.rows })", "mode": "\(plan.mode.rawValue)",
                    "seconds_to_decompress": "\(ahead.reduce(0) { $0 + Int(ChunkCosts.decompression(of: $1)) })",
                ])
        }
    }

    /// Nobody may compress the chunk that is being written.
    private func hold(_ catalog: ChunkCatalog) async throws {
        guard mayHold, isHeld.map({ clock.now - $0 >= Self.holdEvery }) ?? true else { return }
        isHeld = clock.now
        do throws(StoreError) {
            let moved = try await ask { session throws(PostgresError) in try catalog.postponePolicy(seconds: Self.holdSeconds, in: session)
            }
            if moved > 0 { logger.debug("the compression policy is put off", metadata: ["minutes": "\(Self.holdSeconds / 60)"]) }
        } catch {
            guard error.underlying?.sqlState == "42501" else { throw error }
            mayHold = false
            logger.warning(
                "the compression policy cannot be put off: where it compresses the chunk that is being written, that becomes slow",
                metadata: ["role": "\(catalog.role)", "owner": "\(catalog.owner)", "cause": "\(error)"])
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

    private func decompress(_ chunk: Chunk, _ catalog: ChunkCatalog) async throws {
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
        try await run(.decompress(chunk), catalog, isAhead: false)
    }

    private func startBackground(_ catalog: ChunkCatalog) {
        guard background == nil, let work = plan.ahead.map({ Work.decompress($0) }) ?? plan.behind.map({ Work.compress($0) }) else {
            return
        }
        let task = Task {
            do {
                try await run(work, catalog, isAhead: true)
            } catch {
                // The writer meets it again when it comes to the chunk.
                logger.debug("chunk not done ahead", metadata: ["chunk": "\(work.chunk.name)", "cause": "\(error)"])
            }
            background = nil
        }
        background = (work, task)
    }

    private func run(_ work: Work, _ catalog: ChunkCatalog, isAhead: Bool) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await self.carryOut(work, isAhead: isAhead)
                return true
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.holdEvery)
                    try await self.hold(catalog)
                }
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    private func carryOut(_ work: Work, isAhead: Bool) async throws {
        let chunk = work.chunk
        let (verb, statement) =
            switch work {
            case .decompress: ("decompress", "SELECT decompress_chunk($1::regclass, true)")
            case .compress: ("compress", "SELECT compress_chunk($1::regclass, true)")
            }
        let began = clock.now
        var metadata: Logger.Metadata = [
            "chunk": "\(chunk.name)", "from": "\(ChunkSurvey.text(of: chunk.times.lowerBound))", "rows": "\(chunk.rows)",
            "megabytes": "\(chunk.bytes >> 20)",
        ]
        let expected = if case .decompress = work { ChunkCosts.decompression(of: chunk) } else { ChunkCosts.compression(of: chunk) }
        logger.info(
            "\(verb)ing a chunk\(isAhead ? "" : " before rows go into it")",
            metadata: metadata.merging(["expected_seconds": "\(Int(expected.rounded(.up)))"]) { $1 })
        while true {
            do throws(StoreError) {
                let connection = try await labourer()
                try await connection.perform { session throws(StoreError) in
                    do throws(PostgresError) {
                        _ = try session.query(statement, [chunk.name], label: "\(verb)ing chunk \(chunk.name)")
                    } catch {
                        throw .database(error)
                    }
                }
                break
            } catch {
                if error.needsNewConnection { labour = nil }
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

    private func labourer() async throws(StoreError) -> PostgresConnection {
        if let labour { return labour }
        let fresh = try await Self.patience.connect(to: database, applicationName: "wallet-backend writer, chunks", logger: logger)
        try await fresh.perform { session throws(StoreError) in
            do throws(PostgresError) { _ = try session.execute(Self.lockPatience, label: "setting lock_timeout") } catch {
                throw .database(error)
            }
        }
        labour = fresh
        return fresh
    }

    private func ask<Value: Sendable>(_ question: @Sendable (PostgresSession) throws(PostgresError) -> Value) async throws(StoreError)
        -> Value
    {
        if watch == nil {
            watch = try await Self.patience.connect(to: database, applicationName: "wallet-backend writer, catalogue", logger: logger)
        }
        guard let watch else {
            throw .database(PostgresError(kind: .connectionLost, message: "closed", attempted: "reading the catalogue"))
        }
        do throws(StoreError) {
            return try await watch.perform { session throws(StoreError) in
                do throws(PostgresError) { return try question(session) } catch { throw .database(error) }
            }
        } catch {
            if error.needsNewConnection { self.watch = nil }
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
        guard let watch else { return nil }
        return try await ChunkSurvey.read(on: watch)
    }
}
