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
    private let workers: Gauge
    private let registrations: Counter
    private let batchesInFlight: Gauge
    private let leasesExpired: Counter
    private let windowLedgers: Gauge
    private let reorderLedgers: Gauge
    private let reorderBytes: Gauge
    private let swapsLost: Counter
    private let rounds: Counter
    private let roundsInterrupted: Counter
    private let batchFailures: Counter
    private let ledgersPerSecond: Gauge
    /// Nil while it is not known.
    private let eta: EstimateOfTime
    private let counters = Mutex<[String: FetcherCounters]>([:])

    init() {
        registry.addProcessMetrics()
        currentLedger = registry.gauge("wallet_migration_current_ledger", help: "Last ledger committed.")
        ledgers = registry.counter("wallet_migration_ledgers_total", help: "Ledgers committed.")
        phases = registry.histogram(
            "wallet_migration_phase_duration_seconds",
            help:
                "Time per ledger waiting for responses (fetch), walking through its bytes (extract) and making rows (process), averaged over a heartbeat of a fetcher; time per transaction (flush).",
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
        fetchedBytes = registry.counter("wallet_migration_fetched_bytes_total", help: "Bytes of responses received by all fetchers.")
        retries = registry.counter(
            "wallet_migration_source_retries_total", help: "Requests to the source of ledgers that were repeated, by what they failed of.",
            labels: ["cause"])
        ignoredEvents = registry.counter("wallet_migration_ignored_events_total", help: "Events of tracked contracts that gave no row.")
        workersLost = registry.counter("wallet_migration_workers_lost_total", help: "Workers that died or fell silent.")
        messagesRefused = registry.counter(
            "wallet_migration_messages_refused_total", help: "Registrations and messages that were refused.")
        workers = registry.gauge("wallet_migration_workers", help: "Workers that take part.", labels: ["role"])
        registrations = registry.counter(
            "wallet_migration_worker_registrations_total", help: "Registrations of workers: new ones, and those that came back.",
            labels: ["role"])
        batchesInFlight = registry.gauge("wallet_migration_batches_in_flight", help: "Batches that fetchers have a lease of.")
        leasesExpired = registry.counter(
            "wallet_migration_leases_expired_total", help: "Pieces of batches that were taken back from a fetcher and leased again.")
        windowLedgers = registry.gauge(
            "wallet_migration_window_ledgers", help: "Ledgers that are leased or with the writer, and not committed.")
        reorderLedgers = registry.gauge("wallet_migration_reorder_ledgers", help: "Ledgers whose rows are with the writer, not committed.")
        reorderBytes = registry.gauge("wallet_migration_reorder_bytes", help: "Bytes of rows that are with the writer, not committed.")
        swapsLost = registry.counter(
            "wallet_migration_swaps_lost_total", help: "Swaps that did not find the cursor where it was expected.", labels: ["protocol_id"])
        rounds = registry.counter("wallet_migration_rounds_total", help: "Rounds that began.")
        roundsInterrupted = registry.counter("wallet_migration_rounds_interrupted_total", help: "Rounds that ended before their target.")
        batchFailures = registry.counter("wallet_migration_batch_failures_total", help: "Batches that a fetcher gave back.")
        ledgersPerSecond = registry.gauge(
            "wallet_migration_ledgers_per_second", help: "Ledgers committed per second, over the last minute.")
        let eta = EstimateOfTime()
        self.eta = eta
        registry.gauge("wallet_migration_eta_seconds", help: "Seconds until the round is done; absent while not known.") { eta.seconds }
        for role in [WorkerRole.fetcher, .writer] { workers.set(0, role.rawValue) }
    }

    /// How things stand once a second.
    func observe(_ status: RunStatus) {
        workers.set(Double(status.fetchers.count), WorkerRole.fetcher.rawValue)
        workers.set(status.writer == nil ? 0 : 1, WorkerRole.writer.rawValue)
        batchesInFlight.set(Double(status.fetchers.reduce(0) { $0 + $1.batches }))
        windowLedgers.set(Double(status.stages.reorder.window))
        reorderLedgers.set(Double(status.stages.reorder.ledgers))
        reorderBytes.set(Double(status.stages.reorder.bytes))
        ledgersPerSecond.set(status.ledgersPerSecond)
        eta.seconds = status.etaSeconds
    }

    func begin(_ id: ProtocolID, at ledger: UInt32) {
        starts.set(Double(ledger), id.rawValue)
        statuses.set(0, id.rawValue)
    }

    /// Counts what the coordinator says.
    func note(_ notice: Notice) {
        switch notice {
        case .target(let ledger, _): targetTip.set(Double(ledger))
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
        case .workerRegistered(let hello, _): registrations.add(1, hello.role.rawValue)
        case .leasesTakenBack(_, let ledgers, _): leasesExpired.add(Double(ledgers.count))
        case .swapFailed(let id, _, _, _, _): swapsLost.add(1, id.rawValue)
        case .roundBegins: rounds.add()
        case .roundInterrupted: roundsInterrupted.add()
        case .batchFailed: batchFailures.add()
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
        for (cause, number) in now.retries { retries.add(Double(number - (before.retries[cause] ?? 0)), cause) }
        ignoredEvents.add(Double(now.ignoredEvents) - Double(before.ignoredEvents))
        let times = Int(min(count, 1e9))
        phases.observe(max(0, now.fetchSeconds - before.fetchSeconds) / count, times: times, "fetch")
        phases.observe(max(0, now.extractSeconds - before.extractSeconds) / count, times: times, "extract")
        phases.observe(max(0, now.processSeconds - before.processSeconds) / count, times: times, "process")
    }

    private static let maxInstances = 10_000
}

/// The time left as the metrics tell it.
private final class EstimateOfTime: Sendable {
    private let stored = Mutex<Double?>(nil)

    var seconds: Double? {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}
