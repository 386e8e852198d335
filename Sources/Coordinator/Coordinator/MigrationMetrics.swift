import Operations
import Pipeline
import StateChanges
import Synchronization

/// The run in numbers, under the names that dashboards of the existing tool read.
final class MigrationMetrics: Sendable {
    let registry = MetricsRegistry()
    private let workersLost: Counter
    private let messagesRefused: Counter
    private let currentLedger: Gauge
    private let ledgers: Counter
    private let phases: Histogram
    private let targetTip: Gauge
    private let cursors: Gauge
    private let starts: Gauge
    private let networkTip: Gauge
    private let handoffs: Counter
    private let convergences: Counter
    private let statuses: Gauge
    private let rowsTotal: Counter
    private let transactions: Counter
    private let fetchedLedgers: Counter
    private let fetchedBytes: Counter
    private let retries: Counter
    private let ignoredEvents: Counter
    private let counters = Mutex<[String: FetcherCounters]>([:])

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
        handoffs = registry.counter("wallet_migration_handoffs_total", help: "Handoffs to live ingestion.", labels: ["protocol_id"])
        convergences = registry.counter(
            "wallet_migration_convergences_total", help: "Protocols that caught up while live ingestion was not running.",
            labels: ["protocol_id"])
        networkTip = registry.gauge("wallet_migration_network_tip", help: "Latest ledger of the RPC, while the run waits at the tip.")
        statuses = registry.gauge("wallet_migration_status", help: "0 in progress, 1 success, 2 failed.", labels: ["protocol_id"])
        rowsTotal = registry.counter("wallet_migration_rows_total", help: "State changes committed.", labels: ["protocol_id"])
        transactions = registry.counter("wallet_migration_transactions_total", help: "Transactions committed.")
        fetchedLedgers = registry.counter("wallet_migration_fetched_ledgers_total", help: "Ledgers fetched and decoded by all fetchers.")
        fetchedBytes = registry.counter("wallet_migration_fetched_bytes_total", help: "Bytes of RPC responses received by all fetchers.")
        retries = registry.counter("wallet_migration_rpc_retries_total", help: "RPC requests that had to be repeated.")
        ignoredEvents = registry.counter("wallet_migration_ignored_events_total", help: "Events of tracked contracts that gave no row.")
        workersLost = registry.counter("wallet_migration_workers_lost_total", help: "Workers that died or fell silent.")
        messagesRefused = registry.counter(
            "wallet_migration_messages_refused_total", help: "Registrations and messages that were refused.")
    }

    func begin(_ id: ProtocolID, at ledger: UInt32) {
        starts.set(Double(ledger), id.rawValue)
        statuses.set(0, id.rawValue)
    }

    /// Counts what the coordinator says.
    func note(_ notice: Notice) {
        switch notice {
        case .target(let ledger): targetTip.set(Double(ledger))
        case .networkTip(let ledger): networkTip.set(Double(ledger))
        case .cursorMoved(let id, let ledger, let rows):
            cursors.set(Double(ledger), id.rawValue)
            rowsTotal.add(Double(rows), id.rawValue)
        case .movedForward(let id, _, let ledger): cursors.set(Double(ledger), id.rawValue)
        case .committed(let report):
            currentLedger.set(Double(report.ledgers.upperBound))
            ledgers.add(Double(report.ledgers.count))
            transactions.add()
            phases.observe(max(0, report.seconds), "flush")
        case .left(let id, .handoff, _, _): handoffs.add(1, id.rawValue)
        case .left(let id, .converged, _, _): convergences.add(1, id.rawValue)
        case .recorded(let id, let success): statuses.set(success ? 1 : 2, id.rawValue)
        case .workerLost: workersLost.add()
        case .messageRefused, .workerRefused: messagesRefused.add()
        default: break
        }
    }

    /// Takes the counters of a fetcher's process, which only grow; a process that registers again goes on where it was.
    func counted(_ instance: String, _ now: FetcherCounters) {
        let before = counters.withLock { known in
            let before = known[instance] ?? FetcherCounters()
            // Whoever registers under ever new names is not worth the memory.
            if known.count < Self.maxInstances || known[instance] != nil { known[instance] = now }
            return before
        }
        let count = Double(now.ledgers) - Double(before.ledgers)
        guard count > 0 else { return }
        fetchedLedgers.add(count)
        fetchedBytes.add(Double(now.responseBytes) - Double(before.responseBytes))
        retries.add(Double(now.retries) - Double(before.retries))
        ignoredEvents.add(Double(now.ignoredEvents) - Double(before.ignoredEvents))
        let times = Int(min(count, 1e9))
        phases.observe(max(0, now.fetchSeconds - before.fetchSeconds) / count, times: times, "fetch")
        phases.observe(max(0, now.processSeconds - before.processSeconds) / count, times: times, "process")
    }

    private static let maxInstances = 10_000
}
