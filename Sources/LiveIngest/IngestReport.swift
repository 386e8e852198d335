import Logging
import Operations
import StateChanges
import Store

/// Logs what live ingestion does: every ledger at the tip, a line now and then while it catches up, and what becomes of each
/// protocol's history cursor, once.
struct IngestLog: Sendable {
    private enum Place: Equatable {
        /// The cursor goes along with the latest ledger.
        case following
        /// It stands elsewhere.
        case elsewhere
        /// It stands ready, but this build has no processor for its protocol.
        case unknown
        /// Nothing is known yet.
        case unknownYet
    }

    private let logger: Logger
    private var places: [ProtocolID: Place] = [:]
    private var logged = ContinuousClock.now
    private var sinceLogged = (ledgers: 0, rows: 0)
    private static let interval = Duration.seconds(5)

    init(logger: Logger) { self.logger = logger }

    /// A ledger is committed.
    /// - Parameters:
    ///   - result: nil where the commit's result was lost.
    ///   - tip: the network's latest ledger, as far as is known.
    mutating func committed(_ ledger: UInt32, _ result: LiveCommit.Result?, tip: UInt32) {
        if let result { logPlaces(ledger, result) }
        let rows = result?.advanced.values.reduce(0, +) ?? 0
        sinceLogged.ledgers += 1
        sinceLogged.rows += rows
        let now = ContinuousClock.now
        if ledger >= tip {
            let context: Logger.Metadata = ["ledger": "\(ledger)", "rows": "\(sinceLogged.rows)", "ledgers": "\(sinceLogged.ledgers)"]
            logger.info("at the tip", metadata: context)
        } else if now - logged >= Self.interval {
            let rate = Double(sinceLogged.ledgers) / ((now - logged) / .seconds(1))
            logger.info(
                "catching up",
                metadata: [
                    "ledger": "\(ledger)", "network_tip": "\(tip)", "behind": "\(tip - ledger)", "rate": "\(rate.rounded()) ledgers/s",
                    "rows": "\(sinceLogged.rows)",
                ])
        } else {
            return
        }
        logged = now
        sinceLogged = (0, 0)
    }

    private mutating func logPlaces(_ ledger: UInt32, _ result: LiveCommit.Result) {
        for id in result.advanced.keys.sorted() where move(id, to: .following) != nil {
            logger.notice(
                "history cursor taken over: state changes are written from here on",
                metadata: ["protocol": "\(id.rawValue)", "ledger": "\(ledger)"])
        }
        // One that this build has no processor for is logged once, as such.
        for (id, cursor) in result.passedBy.sorted(by: { $0.key < $1.key }) where places[id] != .unknown {
            guard let before = move(id, to: .elsewhere) else { continue }
            let context: Logger.Metadata = ["protocol": "\(id.rawValue)", "ledger": "\(ledger)", "cursor": "\(cursor)"]
            if before == .following {
                logger.error(
                    "history cursor was moved away by something else: its state changes are not written any more", metadata: context)
            } else if case .ledger(let cursor) = cursor, cursor < ledger {
                logger.notice("history cursor lags: its ledgers are left to a migration until it has caught up", metadata: context)
            } else {
                logger.error("history cursor is not where any ledger of the past could have put it: left alone", metadata: context)
            }
        }
        for id in result.unknown.sorted() where move(id, to: .unknown) != nil {
            logger.error(
                "history cursor stands ready, but this build has no processor for its protocol: it is left where it is",
                metadata: ["protocol": "\(id.rawValue)", "ledger": "\(ledger)"])
        }
    }

    /// Returns the place before, `.unknownYet` where there was none; nil where it is the same.
    private mutating func move(_ id: ProtocolID, to place: Place) -> Place? {
        guard places[id] != place else { return nil }
        defer { places[id] = place }
        return places[id] ?? .unknownYet
    }
}

/// Live ingestion in numbers.
struct IngestMetrics: Sendable {
    let registry = MetricsRegistry()
    let notReady = NotReadyReason("starting")
    private let latest: Gauge
    private let tip: Gauge
    private let ledgers: Counter
    private let rows: Counter
    private let ignored: Counter
    private let commits: Histogram

    init() {
        registry.addProcessMetrics()
        latest = registry.gauge("wallet_ingest_latest_ledger", help: "Last ledger committed.")
        tip = registry.gauge("wallet_ingest_network_tip", help: "Latest ledger of the RPC at the last request.")
        ledgers = registry.counter("wallet_ingest_ledgers_total", help: "Ledgers committed.")
        rows = registry.counter("wallet_ingest_rows_total", help: "State changes committed.", labels: ["protocol_id"])
        ignored = registry.counter("wallet_ingest_ignored_events_total", help: "Events of tracked contracts that gave no row.")
        commits = registry.histogram(
            "wallet_ingest_commit_duration_seconds", help: "Time per ledger's transaction, decoding included.",
            bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
    }

    func networkTip(_ ledger: UInt32) { tip.set(Double(ledger)) }
    func position(_ ledger: UInt32) { latest.set(Double(ledger)) }
    func ignored(_ events: Int) { ignored.add(Double(events)) }

    func committed(_ ledger: UInt32, _ result: LiveCommit.Result?, in time: Duration) {
        latest.set(Double(ledger))
        ledgers.add()
        commits.observe(time / .seconds(1))
        for (id, count) in result?.advanced ?? [:] { rows.add(Double(count), id.rawValue) }
    }
}
