import Operations
import Protocols
import Store

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
        tip = registry.gauge("wallet_ingest_network_tip", help: "Latest ledger of the RPC when it was last asked.")
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
