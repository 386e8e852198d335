import Foundation
import Logging
import Membership
import Operations
import Pipeline
import PostgreSQL
import StateChanges
import Store
import ZeroMQ

/// What the writer is started with, validated.
struct WriterConfiguration: Sendable {
    let worker: WorkerSettings
    let database: ConnectionString
    /// Where fetchers bring rows; nil: beside the coordinator's endpoint.
    let rowsEndpoint: Endpoint?
    let metricsPort: Int?
}

/// The writer as a process. One loop takes all events; `WriterMachine` decides, and what it wants of the database runs in child tasks, one at a time.
struct WriterProcess: Sendable {
    typealias Service = WorkerService<WriterChannel, Local>
    typealias Machine = WriterMachine<PeerID, PartRows>

    /// What happens in the writer itself.
    enum Local: Sendable {
        /// From a fetcher.
        case rows(Message, from: PeerID)
        /// What came of the work at the database.
        case database(Machine.Event)
    }

    /// Offers are small, and parts come only when they were asked for: a peer that sends more than that unasked is held up.
    private static let limits = SocketLimits(longestFrame: 256 << 20, framesPerMessage: 10_000, backlogBytes: 256 << 20)

    let rows: RouterSocket
    let committer: Committer
    let service: Service
    let metrics: WriterMetrics
    let logger: Logger

    /// The writer until the coordinator ends the run or a signal comes.
    /// - Returns: false where the database ended it.
    static func run(_ configuration: WriterConfiguration, logger: Logger) async throws -> Bool {
        let service = try Service(configuration.worker, logger: logger)
        let coordinator = configuration.worker.endpoint
        RowsEndpoint.removeAbandoned(beside: coordinator)
        let rows = try await service.loop.bindRouter(
            configuration.rowsEndpoint ?? RowsEndpoint.new(beside: coordinator), limits: Self.limits)
        let process = WriterProcess(
            rows: rows, committer: Committer(database: configuration.database, logger: logger), service: service,
            metrics: WriterMetrics(), logger: logger)
        let server = configuration.metricsPort.map {
            OperationsServer(port: $0, registry: process.metrics.registry, logger: logger) { [notReady = process.metrics.notReady] in
                notReady.readiness
            }
        }
        return try await service.run(rowsEndpoint: rows.endpoint, metrics: server) { try await process.run($0) }
    }

    private func run(_ events: AsyncStream<Service.Event>) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for try await (peer, message) in rows.messages { service.report(.rows(message, from: peer)) }
                return nil
            }
            group.addTask { await loop(events) }
            while let ended = try await group.next() {
                if let inGoodOrder = ended { return inGoodOrder }
            }
            return false
        }
    }

    private func loop(_ events: AsyncStream<Service.Event>) async -> Bool {
        var machine = Machine()
        var rowsWritten = 0
        var compressed = CompressedChunks.auto
        var commits = 0
        return await withDiscardingTaskGroup(returning: Bool.self) { group in
            defer { group.cancelAll() }
            for await event in events {
                if case .link(.registered(_, let welcome)) = event {
                    compressed = welcome.compressedChunks
                    metrics.registered()
                }
                if case .link(.tick) = event {
                    service.link.send(.heartbeat(machine.load))
                    metrics.holds(machine.load)
                }
                switch event {
                case .link(.lost): metrics.notReady.set(WriterMetrics.withoutCoordinator)
                case .link(.standBy): metrics.notReady.set("another writer is at work")
                default: break
                }
                guard let event = translate(event) else { continue }
                switch event {
                case .committed(let report), .committedInPart(let report):
                    rowsWritten += log(report)
                    metrics.committed(report)
                default: break
                }
                for action in machine.take(event) {
                    switch action {
                    case .commit(let parts, let oldestName):
                        commits += 1
                        commit(parts, commits, oldestName, compressed, &group)
                    case .hurry: group.addTask { [commits] in await committer.hurry(commits) }
                    case .end(let reason, let inGoodOrder):
                        await committer.finish(inGoodOrder: inGoodOrder)
                        logger.info("writer ends", metadata: ["reason": "\(reason)", "rows": "\(rowsWritten)"])
                        return inGoodOrder
                    default: carryOut(action, &group)
                    }
                }
            }
            return true
        }
    }

    /// - Returns: nil where nothing is to be decided.
    private func translate(_ event: Service.Event) -> Machine.Event? {
        switch event {
        case .stop(let reason): return .stop(reason)
        case .link(.end): return .stop("the run is over")
        case .link(.registered(let run, let welcome)): return .registered(run: run, protocols: welcome.protocols)
        case .link(.standBy): return .standBy
        case .link(.lost): return .lost
        case .link(.command(let command, _)): return .command(command)
        case .link(.tick): return nil
        case .local(.database(let event)): return event
        case .local(.rows(let message, let peer)):
            do {
                guard let first = message.frames.first else { return nil }
                let content = try Wire.decode(RowsMessage.self, from: first)
                guard case .part(let header) = content else { return .rows(content, from: peer) }
                do throws(UnfitPart) {
                    return .part(header, .success(try PartRows(header, message.frames.dropFirst())))
                } catch {
                    return .part(header, .failure(error))
                }
            } catch {
                logger.warning("message dropped", metadata: ["peer": "\(peer)", "cause": "\(error)"])
                return nil
            }
        }
    }

    private func carryOut(_ action: Machine.Action, _ group: inout DiscardingTaskGroup) {
        switch action {
        case .connect(let protocols):
            group.addTask {
                do throws(StoreError) {
                    try await committer.connect(protocols)
                    service.report(.database(.connected))
                } catch {
                    service.report(.database(.unreachable("\(error)")))
                }
            }
        case .disconnect:
            group.addTask { await committer.disconnect() }
        case .check(let seconds):
            group.addTask { service.report(.database(.checked(await committer.check(after: .seconds(seconds))))) }
        case .send(let message):
            service.link.send(message)
        case .reply(let reply, let peer):
            do {
                rows.send(Message(Frame(try Wire.encode(reply))), to: peer)
            } catch {
                logger.error("message not sent", metadata: ["cause": "\(error)"])
            }
        case .notice(let notice):
            log(notice)
        case .commit, .hurry, .end:
            break
        }
    }

    private func commit(
        _ parts: Machine.Group, _ number: Int, _ oldestName: String, _ compressed: CompressedChunks, _ group: inout DiscardingTaskGroup
    ) {
        group.addTask {
            do throws(CommitFailure) {
                let report = try await committer.commit(parts, number: number, oldestName: oldestName, compressed: compressed) {
                    service.report(.database(.committedInPart($0)))
                }
                service.report(.database(.committed(report)))
            } catch {
                service.report(.database(.commitFailed(error)))
            }
        }
    }

    private func log(_ report: CommitReport) -> Int {
        let count = report.rows.values.reduce(0, +)
        logger.debug("committed", metadata: ["ledgers": "\(report.ledgers)", "rows": "\(count)"])
        return count
    }

    private func log(_ notice: Machine.Notice) {
        let level: Logger.Level =
            switch notice.level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        var metadata: Logger.Metadata = [:]
        metadata["round"] = notice.round.map { "\($0)" }
        metadata["ledgers"] = notice.part.map { "\($0.ledgers)" }
        metadata["fetcher"] = notice.part.map { "\($0.worker)" }
        metadata[level == .error ? "cause" : "reason"] = notice.reason.map { "\($0)" }
        logger.log(level: level, "\(notice.text)", metadata: metadata)
    }
}
