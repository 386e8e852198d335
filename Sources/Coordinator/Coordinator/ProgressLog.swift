import Logging
import Pipeline
import Protocols

/// Tells the operator, every few seconds, how far the run is, how fast it goes and when it will be there.
struct ProgressLog: Sendable {
    private let logger: Logger
    private let began = ContinuousClock.now
    private var meter = ProgressMeter()
    private var ticks = 0
    private var roundLedgers = 0
    /// Heartbeat ticks, a second each, between two lines: at the beginning an operator watches.
    private var interval: Int { ticks < 10 ? 2 : 5 }

    private static let ticksPerTipLine = 30

    init(logger: Logger) {
        self.logger = logger
    }

    /// A round of that many ledgers begins.
    mutating func begin(ledgers: Int) {
        roundLedgers = ledgers
    }

    /// A heartbeat interval went by.
    mutating func tick(_ state: RunState) {
        meter.note(seconds: seconds(since: began), ledgers: state.ledgersCommitted)
        ticks += 1
        guard ticks % interval == 0 else { return }
        guard let round = state.round else {
            if !state.writerReady { logger.info("waiting for a writer that is connected to the database") }
            if let tip = state.tip, ticks % Self.ticksPerTipLine == 0 { tell(tip, state) }
            return
        }
        if state.roster.fetchers.isEmpty { logger.warning("no fetcher is registered", metadata: ["round": "\(round.epoch)"]) }
        let done = round.board.committedLedgers
        let left = roundLedgers - done
        let rate = meter.rate ?? 0
        var metadata: Logger.Metadata = [
            "round": "\(round.epoch)", "percent": "\(decimal(100 * Double(done) / Double(max(1, roundLedgers))))",
            "ledgers": "\(done)/\(roundLedgers)",
            "rate": "\(decimal(rate)) ledgers/s", "rows": "\(state.rows.values.reduce(0, +))", "fetchers": "\(state.roster.fetchers.count)",
            "outstanding": "\(round.board.outstanding)",
        ]
        metadata["eta"] = "\(meter.eta(left: left).map { ProgressLog.clock($0) } ?? "unknown")"
        logger.info("progress", metadata: metadata)
    }

    private func tell(_ tip: RunState.Tip, _ state: RunState) {
        logger.info(
            "waiting at the tip",
            metadata: [
                "protocols": "\(state.remaining.map(\.rawValue).joined(separator: " "))", "cursor": "\(tip.ledger)",
                "live_ingestion": "\(tip.liveIngestionRuns ? "running" : "not running")",
                "network_tip": "\(tip.networkTip.map(String.init) ?? "unknown")",
            ])
    }

    private func seconds(since start: ContinuousClock.Instant) -> Double {
        let passed = ContinuousClock.now - start
        return Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
    }

    private func decimal(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

    /// 3725 seconds as "1h02m05s".
    static func clock(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999_999))
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        if whole >= 3600 { return "\(whole / 3600)h\(two(whole / 60 % 60))m\(two(whole % 60))s" }
        return whole >= 60 ? "\(whole / 60)m\(two(whole % 60))s" : "\(whole)s"
    }
}
