internal import Foundation
public import Logging
public import PostgreSQL
internal import Store

/// Says where live ingestion writes into a compressed chunk: every row costs many times more there.
///
/// Ledgers are noted at no cost; the catalog is asked beside them, on a connection of its own, once for each chunk and every few minutes. Nothing that
/// fails here disturbs anybody. On a plain table it asks once.
public struct ChunkWatch: Sendable {
    private let database: ConnectionString
    private let applicationName: String
    private let logger: Logger
    private let closeTimes: AsyncStream<UInt64>
    private let noted: AsyncStream<UInt64>.Continuation

    /// - Parameters:
    ///   - database: where `state_changes` is.
    ///   - applicationName: what `pg_stat_activity` shows of the connection that asks.
    public init(_ database: ConnectionString, applicationName: String, logger: Logger) {
        self.database = database
        self.applicationName = applicationName
        self.logger = logger
        // Whoever asks is interested in the newest ledger only.
        (closeTimes, noted) = AsyncStream<UInt64>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// A ledger is about to be committed. Waits for nothing.
    /// - Parameter closeTime: in Unix seconds.
    public func note(closeTime: UInt64) { noted.yield(closeTime) }

    /// Asks and warns until the task is cancelled, or until the table turns out to be a plain one.
    public func run() async {
        var schedule = ChunkWatchSchedule()
        let clock = ContinuousClock()
        for await closeTime in closeTimes where schedule.isDue(closeTime, at: clock.now) {
            do throws(StoreError) {
                switch try await ask(closeTime) {
                case .plainTable: return
                case .chunk(let chunk):
                    if let chunk = schedule.answered(chunk, to: closeTime, at: clock.now) { warn(of: chunk) }
                }
            } catch {
                guard !Task.isCancelled else { return }
                schedule.failed(at: clock.now)
                logger.debug("whether live ingestion writes into a compressed chunk is not known", metadata: ["cause": "\(error)"])
            }
        }
    }

    private func ask(_ closeTime: UInt64) async throws(StoreError) -> WatchedChunk.Answer {
        let connection = try await ReconnectPolicy(limit: .zero).connect(to: database, applicationName: applicationName)
        let answer = await Result { () async throws(StoreError) in try await WatchedChunk.find(of: closeTime, on: connection) }
        await connection.close()
        return try answer.get()
    }

    private func warn(of chunk: WatchedChunk) {
        logger.warning(
            "live ingestion writes into a compressed chunk: expect about a tenth of the usual speed, or far less with many accounts in it",
            metadata: [
                "chunk": "\(chunk.name)", "from": "\(Self.text(chunk.closeTimes.lowerBound))",
                "to": "\(Self.text(chunk.closeTimes.upperBound))",
                "remedy": "\(chunk.remedy)",
            ])
    }

    private static func text(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}

extension Result {
    /// What an asynchronous body returns or throws.
    fileprivate init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
