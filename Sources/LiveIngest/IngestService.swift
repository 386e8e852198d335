import Glibc
import LedgerSources
import Logging
import Operations
import Store
import Timescale

/// Connects live ingestion to its surroundings: signals, metrics, source, database.
struct IngestService: Sendable {
    let configuration: IngestConfiguration
    let logger: Logger
    private let metrics = IngestMetrics()

    init(configuration: IngestConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    private enum Ending: Sendable {
        case signal(TerminationSignal)
        case failure(String)
    }

    /// Runs until a signal or a failure that nothing mends; the cause is logged here. A signal is the regular end: success.
    func execute() async -> ExitStatus {
        TerminationSignals.ignoreBrokenPipes()
        logger.notice("live ingestion starts", metadata: ["version": "\(ProgramVersion.text)"])
        let signals = TerminationSignals(logger: logger)
        let ending = await withTaskGroup(of: Ending?.self) { group in
            group.addTask {
                var signals = signals.makeAsyncIterator()
                return await signals.next().map { .signal($0) }
            }
            if let port = configuration.metricsPort { group.addTask { await serveMetrics(port) } }
            group.addTask { await follow() }
            var ending: Ending?
            while ending == nil, let ended = await group.next() { ending = ended }
            // The transaction under way ends before the group does, or the connection: a server that does not respond is not waited for.
            group.cancelAll()
            return ending
        }
        switch ending {
        case .signal(let signal):
            logger.notice("live ingestion ends", metadata: ["cause": "received \(signal)"])
            return .success
        case .failure(let cause):
            logger.critical("live ingestion stopped", metadata: ["cause": "\(cause)"])
            return .failure
        case nil:
            return .failure
        }
    }

    private func follow() async -> Ending? {
        let source: any LedgerSource
        do {
            source = try configuration.source.open(retryingFor: .seconds(20), logger: logger)
        } catch {
            return .failure("\(error)")
        }
        let database = IngestDatabase(
            configuration, applicationName: "wallet-backend ingest \(ProgramVersion.text), pid \(getpid()) on \(Host.name)", logger: logger)
        let chunkWatch = ChunkWatch(
            configuration.database, applicationName: "wallet-backend chunk watch, pid \(getpid()) on \(Host.name)", logger: logger)
        async let _ = chunkWatch.run()
        var ending: Ending?
        do {
            let follower = TipFollower(source: source, metrics: metrics, logger: logger)
            try await LiveIngest(
                configuration: configuration, database: database, follower: follower, chunkWatch: chunkWatch, metrics: metrics,
                logger: logger
            ).run()
        } catch {
            if !Task.isCancelled { ending = .failure("\(error)") }
        }
        await database.close()
        await source.shutdown()
        return ending
    }

    private func serveMetrics(_ port: Int) async -> Ending? {
        let server = OperationsServer(port: port, registry: metrics.registry, logger: logger) { [metrics] in metrics.notReady.readiness }
        do {
            try await server.run()
        } catch {
            return .failure("\(error)")
        }
        return nil
    }
}
