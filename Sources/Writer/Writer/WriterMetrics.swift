import Operations
import Pipeline
import StateChanges

/// The writer in numbers.
final class WriterMetrics: Sendable {
    let registry = MetricsRegistry()
    let notReady = NotReadyReason(WriterMetrics.withoutCoordinator)
    static let withoutCoordinator = "no connection to the coordinator"
    private let commitSeconds: Histogram
    private let rows: Counter
    private let ledgers: Counter
    private let bytes: Counter
    private let reorderLedgers: Gauge
    private let reorderBytes: Gauge
    private let swapsLost: Counter
    private let registrations: Counter

    init() {
        registry.addProcessMetrics()
        commitSeconds = registry.histogram(
            "wallet_writer_commit_duration_seconds", help: "Time per transaction.",
            bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
        rows = registry.counter("wallet_writer_rows_total", help: "State changes committed.", labels: ["protocol_id"])
        ledgers = registry.counter("wallet_writer_ledgers_total", help: "Ledgers committed.")
        bytes = registry.counter("wallet_writer_bytes_total", help: "Bytes of rows committed, as they went to the database.")
        reorderLedgers = registry.gauge(
            "wallet_writer_reorder_ledgers", help: "Ledgers whose rows have come and are not committed, those of the transaction included.")
        reorderBytes = registry.gauge("wallet_writer_reorder_bytes", help: "Bytes of the rows that have come and are not committed.")
        swapsLost = registry.counter(
            "wallet_writer_swaps_lost_total", help: "Swaps that did not find the cursor where it was expected.", labels: ["protocol_id"])
        registrations = registry.counter("wallet_writer_registrations_total", help: "How often the coordinator took the writer in.")
    }

    func registered() {
        registrations.add()
        notReady.set(nil)
    }

    func holds(_ load: ReorderLoad) {
        reorderLedgers.set(Double(load.ledgers))
        reorderBytes.set(Double(load.bytes))
    }

    /// A transaction has ended.
    func committed(_ report: CommitReport) {
        commitSeconds.observe(report.seconds)
        var hasMoved = false
        for (id, swap) in report.swaps {
            switch swap {
            case .swapped:
                hasMoved = true
                rows.add(Double(report.rows[id] ?? 0), id.rawValue)
            case .found: swapsLost.add(1, id.rawValue)
            case .belowOldest: break
            }
        }
        guard hasMoved else { return }
        ledgers.add(Double(report.ledgers.count))
        bytes.add(Double(report.bytes))
    }
}
