import Operations
import Pipeline
import Protocols

/// The run in numbers, under the names that dashboards of the existing tool read.
struct MigrationMetrics: Sendable {
    let registry = MetricsRegistry()
    let workersLost: Counter
    private let currentLedger: Gauge
    private let ledgers: Counter
    private let phases: Histogram
    private let targetTip: Gauge
    private let cursors: Gauge
    private let starts: Gauge
    private let networkTipGauge: Gauge
    private let handoffsTotal: Counter
    private let convergencesTotal: Counter
    private let statuses: Gauge
    private let rowsTotal: Counter
    private let transactions: Counter
    private let fetchedLedgers: Counter
    private let fetchedBytes: Counter
    private let retries: Counter
    private let ignoredEvents: Counter

    init() {
        registry.addProcessMetrics()
        currentLedger = registry.gauge("wallet_migration_current_ledger", help: "Last ledger committed.")
        ledgers = registry.counter("wallet_migration_ledgers_total", help: "Ledgers committed.")
        phases = registry.histogram(
            "wallet_migration_phase_duration_seconds",
            help:
                "Time per ledger spent fetching and processing (averaged over a heartbeat of a fetcher), and per transaction spent flushing.",
            labels: ["phase"], bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
        targetTip = registry.gauge("wallet_migration_target_tip", help: "Target of the round: latest_ingest_ledger at its beginning.")
        cursors = registry.gauge("wallet_migration_cursor", help: "History cursor as last committed or read.", labels: ["protocol_id"])
        starts = registry.gauge("wallet_migration_start_ledger", help: "First ledger of this run.", labels: ["protocol_id"])
        handoffsTotal = registry.counter("wallet_migration_handoffs_total", help: "Handoffs to live ingestion.", labels: ["protocol_id"])
        convergencesTotal = registry.counter(
            "wallet_migration_convergences_total", help: "Protocols that caught up while live ingestion was not running.",
            labels: ["protocol_id"])
        networkTipGauge = registry.gauge("wallet_migration_network_tip", help: "Latest ledger of the RPC, while the run waits at the tip.")
        statuses = registry.gauge("wallet_migration_status", help: "0 in progress, 1 success, 2 failed.", labels: ["protocol_id"])
        rowsTotal = registry.counter("wallet_migration_rows_total", help: "State changes committed.", labels: ["protocol_id"])
        transactions = registry.counter("wallet_migration_transactions_total", help: "Transactions committed.")
        fetchedLedgers = registry.counter("wallet_migration_fetched_ledgers_total", help: "Ledgers fetched and decoded by all fetchers.")
        fetchedBytes = registry.counter("wallet_migration_fetched_bytes_total", help: "Bytes of RPC responses received by all fetchers.")
        retries = registry.counter("wallet_migration_rpc_retries_total", help: "RPC requests that had to be repeated.")
        ignoredEvents = registry.counter("wallet_migration_ignored_events_total", help: "Events of tracked contracts that gave no row.")
        workersLost = registry.counter("wallet_migration_workers_lost_total", help: "Workers that died or fell silent.")
    }

    func begin(_ id: ProtocolID, at ledger: UInt32) {
        starts.set(Double(ledger), id.rawValue)
        statuses.set(0, id.rawValue)
    }

    func ended(_ id: ProtocolID, success: Bool) { statuses.set(success ? 1 : 2, id.rawValue) }
    func target(_ ledger: UInt32) { targetTip.set(Double(ledger)) }
    func cursor(_ id: ProtocolID, _ ledger: UInt32) { cursors.set(Double(ledger), id.rawValue) }
    func networkTip(_ ledger: UInt32) { networkTipGauge.set(Double(ledger)) }
    func handoff(_ id: ProtocolID) { handoffsTotal.add(1, id.rawValue) }
    func converged(_ id: ProtocolID) { convergencesTotal.add(1, id.rawValue) }

    func committed(_ id: ProtocolID, through ledger: UInt32, rows: Int) {
        cursor(id, ledger)
        rowsTotal.add(Double(rows), id.rawValue)
    }

    func flushed(_ report: CommitReport) {
        currentLedger.set(Double(report.ledgers.upperBound))
        ledgers.add(Double(report.ledgers.count))
        transactions.add()
        phases.observe(report.seconds, "flush")
    }

    /// A fetcher's counters have grown.
    func fetched(_ now: FetcherCounters, since before: FetcherCounters) {
        let count = now.ledgers - before.ledgers
        guard count > 0 else { return }
        fetchedLedgers.add(Double(count))
        fetchedBytes.add(Double(now.responseBytes - before.responseBytes))
        retries.add(Double(now.retries - before.retries))
        ignoredEvents.add(Double(now.ignoredEvents - before.ignoredEvents))
        for _ in 0..<count {
            phases.observe((now.fetchSeconds - before.fetchSeconds) / Double(count), "fetch")
            phases.observe((now.processSeconds - before.processSeconds) / Double(count), "process")
        }
    }
}
