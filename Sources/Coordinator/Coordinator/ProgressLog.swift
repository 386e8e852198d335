import Logging
import Pipeline
import StateChanges
import ZeroMQ

/// Tells the operator, every few seconds, how far the run is, how fast it goes and when it will be there.
struct ProgressLog: Sendable {
    private let logger: Logger
    private let began = ContinuousClock.now
    private var meter = ProgressMeter()
    private var ticks = 0
    private var ledgersCommitted = 0
    /// Heartbeat ticks, a second each, between two lines: at the beginning an operator watches.
    private var interval: Int { ticks < 10 ? 2 : 5 }

    private static let ticksPerTipLine = 30

    init(logger: Logger) {
        self.logger = logger
    }

    /// Counts what was committed.
    mutating func note(_ notice: Notice) {
        if case .committed(let report) = notice { ledgersCommitted += report.ledgers.count }
    }

    /// A heartbeat interval went by.
    mutating func tick(_ machine: CoordinatorMachine<PeerID>) {
        meter.note(seconds: (ContinuousClock.now - began) / .seconds(1), ledgers: ledgersCommitted)
        ticks += 1
        guard ticks % interval == 0 else { return }
        guard let round = machine.currentRound else {
            if case .halting = machine.phase {
                logger.info("waiting for the writer to finish its transaction")
            } else if machine.readyWriter == nil {
                logger.info("waiting for a writer that is connected to the database")
            }
            if let tip = machine.tip, ticks % Self.ticksPerTipLine == 0 { show(tip, machine) }
            return
        }
        let fetchers = machine.registry.fetcherCount
        if fetchers == 0 { logger.warning("no fetcher is registered", metadata: ["round": "\(round.number)"]) }
        let done = round.leases.committedLedgers
        logger.info(
            "progress",
            metadata: [
                "round": "\(round.number)", "percent": "\(decimal(100 * Double(done) / Double(max(1, round.ledgerCount))))",
                "ledgers": "\(done)/\(round.ledgerCount)", "rate": "\(decimal(meter.rate ?? 0)) ledgers/s",
                "rows": "\(machine.progress.reduce(0) { $0 + $1.rows })", "fetchers": "\(fetchers)",
                "outstanding": "\(round.leases.outstanding)",
                "eta": "\(meter.eta(left: round.ledgerCount - done).map { Self.clock($0) } ?? "unknown")",
            ])
    }

    private func show(_ tip: Tip, _ machine: CoordinatorMachine<PeerID>) {
        logger.info(
            "waiting at the tip",
            metadata: [
                "protocols": "\(machine.remaining.map(\.rawValue).joined(separator: " "))", "cursor": "\(tip.ledger)",
                "live_ingestion": "\(tip.ranAtLastLook ? "running" : "not running")",
                "network_tip": "\(tip.networkTip.map(String.init) ?? "unknown")",
            ])
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
