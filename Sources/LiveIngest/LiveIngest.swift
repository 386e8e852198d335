import LedgerSources
import Logging
import Operations
import Protocols
import StateChanges
import StellarXDR
import Store
import Timescale

/// Follows the network: ledger by ledger, in order, one transaction each. While one page is committed, the next is fetched.
struct LiveIngest: Sendable {
    let configuration: IngestConfiguration
    let database: IngestDatabase
    let follower: TipFollower
    let chunkWatch: ChunkWatch
    let metrics: IngestMetrics
    let logger: Logger

    /// Where it begins.
    private struct Start {
        let next: UInt32
        /// Nothing was ingested before.
        let isFirst: Bool
    }

    /// Runs until the task is cancelled; the transaction under way is then finished or rolled back as a whole.
    func run() async throws {
        try await database.open()
        try await follower.requireNetwork(configuration.networkPassphrase)
        let start = try await start()
        metrics.notReady.set(nil)
        var log = IngestLog(logger: logger)
        var isFirst = start.isFirst
        var page = try await follower.page(from: start.next, after: nil, knownTip: 0)
        while true {
            let current = page
            let following = current.link.ledgers.upperBound + 1
            async let upcoming = follower.page(from: following, after: current.link, knownTip: current.tip)
            for ledger in current.ledgers {
                try await commit(ledger, isFirst: isFirst, tip: current.tip, &log)
                isFirst = false
            }
            page = try await upcoming
        }
    }

    private func start() async throws -> Start {
        let names = configuration.cursorNames
        let (oldest, latest) = try await database.position()
        switch latest {
        case .missing, .ledger(0):
            guard oldest == .missing || oldest == .ledger(0) else {
                throw IngestError.impossiblePosition(oldestKey: names.oldest, oldest, latestKey: names.latest, latest)
            }
            guard let first = configuration.startLedger else { throw IngestError.startLedgerNeeded(key: names.latest) }
            logger.notice("beginning with an empty database", metadata: ["ledger": "\(first)"])
            return Start(next: first, isFirst: true)
        case .malformed:
            throw IngestError.impossiblePosition(oldestKey: names.oldest, oldest, latestKey: names.latest, latest)
        case .ledger(let ledger):
            if let given = configuration.startLedger, given != ledger + 1 {
                logger.info("--start-ledger has no effect, the database is not empty", metadata: ["latest": "\(ledger)"])
            }
            metrics.position(ledger)
            logger.notice("resuming after the latest ingested ledger", metadata: ["latest": "\(ledger)", "oldest": "\(oldest)"])
            return Start(next: ledger + 1, isFirst: false)
        }
    }

    private func commit(_ ledger: CheckedLedger, isFirst: Bool, tip: UInt32, _ log: inout IngestLog) async throws {
        let began = ContinuousClock.now
        // The header was read when the ledger came; what it says here only serves a warning.
        if let header = try? LedgerReader.readHeader(ledger.xdr.span.bytes) { chunkWatch.note(closeTime: header.closeTime) }
        // Before the transaction: it locks what migrations wait for. Which of these contracts are tracked is asked in it.
        let withEvents = Result { () throws(LedgerProcessingError) in try LedgerProcessor.contractsWithEvents(in: ledger.xdr.span.bytes) }
        let result = try await database.commit(ledger.sequence, isFirst: isFirst, contracts: withEvents) {
            ids, contracts throws(LedgerProcessingError) in
            var processor = try LedgerProcessor(protocols: ids, tracked: TrackedContracts(contracts), onIgnored: onIgnored)
            _ = try processor.process(ledger.xdr.span.bytes)
            metrics.ignored(processor.counts.reduce(0) { $0 + $1.ignored })
            return processor.takeRows().map { StateChangeRows($0.id, rowCount: $0.rowCount, chunks: [$0.tuples]) }
        }
        metrics.committed(ledger.sequence, result, in: ContinuousClock.now - began)
        log.committed(ledger.sequence, result, tip: tip)
    }

    /// Nil where nobody would see the line.
    private var onIgnored: (@Sendable (IgnoredEvent) -> Void)? {
        guard logger.logLevel <= .debug else { return nil }
        return { [logger] event in logger.debug("event gives no row", metadata: event.fields.mapValues { "\($0)" }) }
    }
}

/// Why live ingestion cannot go on; what the database, the RPC or a ledger itself says comes as an error of theirs.
enum IngestError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing was ingested yet, and nobody says where to begin.
    case startLedgerNeeded(key: String)
    /// The cursors contradict each other.
    case impossiblePosition(oldestKey: String, CursorReading, latestKey: String, CursorReading)
    /// The RPC does not keep the next ledger any more.
    case ledgerGone(next: UInt32, detail: String)
    /// The RPC's ledgers do not follow the last one that was ingested.
    case brokenChain(ledger: UInt32, tries: Int)

    /// What is wrong, with the numbers, and what to do.
    var description: String {
        switch self {
        case .startLedgerNeeded(let key):
            "nothing was ingested yet (\(key) is missing or 0): give --start-ledger, the first ledger to keep"
        case .impossiblePosition(let oldestKey, let oldest, let latestKey, let latest):
            "\(oldestKey) is \(oldest) and \(latestKey) is \(latest) in ingest_store: correct them by hand"
        case .ledgerGone(let next, let detail):
            "ledger \(next) is next, but the RPC does not keep it any more (\(detail)): use an RPC that does; going on later would leave a gap"
        case .brokenChain(let ledger, let tries):
            "ledger \(ledger) does not name the hash of the ledger ingested before it, in \(tries) responses of the RPC: "
                + "it may be on a fork or on another network"
        }
    }
}
