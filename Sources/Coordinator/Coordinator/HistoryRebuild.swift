import Glibc
import Logging
import Operations
import PostgreSQL
import Protocols
import StateChanges
import Store
import Timescale

/// The first part of `--rebuild`: sets histories back to the start and deletes their rows, while live ingestion runs. Then follows a migration as any other.
///
/// Broken off at any point, all of it is done again by the next run.
struct HistoryRebuild: Sendable {
    private let configuration: HistoryConfiguration
    private let logger: Logger
    private let session: LockedSession
    /// How long the database may be away, and how long the session of a writer that has just died may linger.
    private static let patience = ReconnectPolicy(limit: .seconds(300))
    private static let lockWait = Duration.seconds(120)
    /// Ledgers close every few seconds: nothing is gained by cutting further.
    private static let shortest: Int64 = 1_000_000

    init(_ configuration: HistoryConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        session = LockedSession(
            to: configuration.database, applicationName: "wallet-backend rebuild, pid \(getpid()) on \(Host.name)", logger: logger)
    }

    /// Sets back those of the protocols that are not in progress, and deletes their rows. The caller holds their migration locks.
    func run(_ ids: [ProtocolID]) async throws(StoreError) {
        do throws(StoreError) {
            try await reset(ids)
        } catch {
            await session.close()
            throw error
        }
        await session.close()
    }

    private func reset(_ ids: [ProtocolID]) async throws(StoreError) {
        try await session.open(Self.patience)
        // As a writer does: no other one's transaction can be under way then.
        for name in AdvisoryLock.writerNames(ids) {
            try await ask { connection throws(StoreError) in
                try await AdvisoryLock.acquire(name, waitingAtMost: Self.lockWait, on: connection, logger: logger)
            }
        }
        try await session.take(AdvisoryLock.writerNames(ids), Self.patience, waitingForLocksAtMost: Self.lockWait)
        let reset = try await ask { connection throws(StoreError) in
            try await HistoryReset.begin(ids, names: configuration.cursorNames, on: connection)
        }
        guard !reset.protocols.isEmpty else { return }
        let names = reset.protocols.map(\.rawValue).joined(separator: ",")
        logger.notice(
            "history set back to the start, deleting its rows",
            metadata: ["protocols": "\(names)", "cursor": "\(reset.cursor)", "through": "\(reset.latest ?? 0)"])
        let survey = try await ask { connection throws(StoreError) in try await ChunkSurvey.read(on: connection) }
        var slices = survey.chunks.map(\.times)
        if slices.isEmpty { slices = try await ask { connection throws(StoreError) in try await HistoryReset.days(on: connection) } }
        var rows = 0
        for slice in slices { rows += try await delete(slice, of: reset, survey.settingsForDeletes) }
        logger.notice("rows of the history deleted", metadata: ["protocols": "\(names)", "rows": "\(rows)"])
    }

    /// In one transaction; where the database cuts that off, in two halves.
    private func delete(_ times: Range<Int64>, of reset: HistoryReset, _ settings: [String]) async throws(StoreError) -> Int {
        let clock = ContinuousClock()
        let began = clock.now
        let deleted = try await ask { connection throws(StoreError) -> Int? in
            do throws(StoreError) {
                return try await reset.deleteRows(
                    closedIn: times, stateChangeIDs: ProtocolRegistry.stateChangeIDs, settings: settings, on: connection)
            } catch {
                guard error.isTimeOut, times.upperBound - times.lowerBound > Self.shortest, !Task.isCancelled else { throw error }
                logger.warning(
                    "deleting rows was cut off, the next transactions are smaller",
                    metadata: [
                        "from": "\(Chunk.text(of: times.lowerBound))", "to": "\(Chunk.text(of: times.upperBound))", "cause": "\(error)",
                    ])
                return nil
            }
        }
        if let deleted {
            if deleted > 0 {
                logger.info(
                    "rows deleted",
                    metadata: [
                        "from": "\(Chunk.text(of: times.lowerBound))", "to": "\(Chunk.text(of: times.upperBound))", "rows": "\(deleted)",
                        "seconds": "\(Double(Int((clock.now - began) / .milliseconds(1))) / 1000)",
                    ])
            }
            return deleted
        }
        let middle = times.lowerBound + (times.upperBound - times.lowerBound) / 2 / Self.shortest * Self.shortest
        return try await delete(times.lowerBound..<middle, of: reset, settings) + delete(middle..<times.upperBound, of: reset, settings)
    }

    private func ask<Response: Sendable>(
        _ question: @Sendable (PostgresConnection) async throws(StoreError) -> Response
    ) async throws(StoreError) -> Response {
        try await session.askPersistently(Self.patience, waitingForLocksAtMost: Self.lockWait, question)
    }
}
