public import Logging
public import PostgreSQL
internal import StateChanges
internal import Store

/// Says where live ingestion writes into a compressed chunk: every row costs many times more there.
///
/// Ledgers are noted at no cost; the catalog is asked beside them, on a connection of its own, once for each chunk and every few minutes. Nothing that
/// fails here disturbs anybody. On a plain table it asks once.
public struct ChunkWatch: Sendable {
    private let database: ConnectionString
    private let applicationName: String
    private let logger: Logger
    private let closeTimes: AsyncStream<Int64>
    private let noted: AsyncStream<Int64>.Continuation

    private enum Answer {
        case plainTable
        /// Nil where the first row has yet to make it.
        case chunk(Chunk?, Hypertable)
    }

    /// - Parameters:
    ///   - database: where `state_changes` is.
    ///   - applicationName: what `pg_stat_activity` shows of the connection that asks.
    public init(_ database: ConnectionString, applicationName: String, logger: Logger) {
        self.database = database
        self.applicationName = applicationName
        self.logger = logger
        // Whoever asks is interested in the newest ledger only.
        (closeTimes, noted) = AsyncStream<Int64>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// A ledger is about to be committed. Waits for nothing.
    /// - Parameter closeTime: in Unix seconds.
    public func note(closeTime: UInt64) {
        if let time = StateChangeTuple.timestamp(closeTime: closeTime) { noted.yield(time) }
    }

    /// Asks and warns until the task is cancelled, or until the table turns out to be a plain one.
    public func run() async {
        var schedule = ChunkWatchSchedule()
        let clock = ContinuousClock()
        for await closeTime in closeTimes where schedule.isDue(closeTime, at: clock.now) {
            do throws(StoreError) {
                switch try await ask(closeTime) {
                case .plainTable: return
                case .chunk(let chunk, let hypertable):
                    if let chunk = schedule.answered(chunk, to: closeTime, at: clock.now) { warn(of: chunk, hypertable) }
                }
            } catch {
                guard !Task.isCancelled else { return }
                schedule.failed(at: clock.now)
                logger.debug("whether live ingestion writes into a compressed chunk is not known", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func ask(_ closeTime: Int64) async throws(StoreError) -> Answer {
        let connection = try await ReconnectPolicy(limit: .zero).connect(to: database, applicationName: applicationName)
        let answer = await Result { () async throws(StoreError) in
            try await connection.perform { session throws(StoreError) in
                do throws(PostgresError) {
                    guard let hypertable = try Hypertable.find(in: session), hypertable.hasColumnstore else { return Answer.plainTable }
                    return .chunk(try hypertable.chunks(in: session).first { $0.times.contains(closeTime) }, hypertable)
                } catch {
                    throw .database(error)
                }
            }
        }
        await connection.close()
        return try answer.get()
    }

    private func warn(of chunk: Chunk, _ hypertable: Hypertable) {
        let name = chunk.name.replacing("'", with: "''")
        logger.warning(
            "live ingestion writes into a compressed chunk: expect about a tenth of the usual speed, or far less with many accounts in it",
            metadata: [
                "chunk": "\(chunk.name)", "from": "\(chunk.period.from)", "to": "\(chunk.period.to)",
                "remedy": "SELECT \(hypertable.functions).decompress_chunk('\(name)')",
            ])
    }
}

extension Result {
    /// What an asynchronous body returns or throws.
    fileprivate init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
