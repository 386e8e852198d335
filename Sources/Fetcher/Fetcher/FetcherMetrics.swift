import LedgerSources
import Operations
import Pipeline
import Synchronization

/// A fetcher in numbers.
final class FetcherMetrics: Sendable {
    let registry = MetricsRegistry()
    let notReady = NotReadyReason(FetcherMetrics.withoutCoordinator)
    static let withoutCoordinator = "no connection to the coordinator"
    private let ledgers: Counter
    private let responseBytes: Counter
    private let requestSeconds: Histogram
    private let requestLedgers: Histogram
    private let decodeSeconds: Histogram
    private let retries: Counter
    private let inFlight: Gauge
    private let held: Gauge
    private let ignoredEvents: Counter
    private let registrations: Counter
    /// What the counters of the source were when they were last added.
    private let counted = Mutex<(bytes: Int, retries: [LedgerSourceError.Code: Int])>((0, [:]))

    init() {
        registry.addProcessMetrics()
        ledgers = registry.counter("wallet_fetcher_ledgers_total", help: "Ledgers fetched and decoded.")
        responseBytes = registry.counter("wallet_fetcher_response_bytes_total", help: "Bytes of responses, as they came over the wire.")
        requestSeconds = registry.histogram(
            "wallet_fetcher_request_duration_seconds", help: "Time per request, repetitions and the work on its ledgers included.",
            bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
        requestLedgers = registry.histogram(
            "wallet_fetcher_request_ledgers", help: "Ledgers that a request gave.", bounds: [1, 2, 4, 8, 16, 32, 64, 128, 200])
        decodeSeconds = registry.histogram(
            "wallet_fetcher_decode_duration_seconds", help: "Time per ledger from its bytes to rows, averaged over a request.",
            bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1])
        retries = registry.counter(
            "wallet_fetcher_retries_total", help: "Requests that were repeated, by what they failed of.", labels: ["cause"])
        inFlight = registry.gauge("wallet_fetcher_requests_in_flight", help: "Requests that are under way.")
        held = registry.gauge("wallet_fetcher_batches_held", help: "Batches that the fetcher has a lease of.")
        ignoredEvents = registry.counter("wallet_fetcher_ignored_events_total", help: "Events of tracked contracts that gave no row.")
        registrations = registry.counter("wallet_fetcher_registrations_total", help: "How often the coordinator took the fetcher in.")
    }

    func registered() {
        registrations.add()
        notReady.set(nil)
    }

    /// - Parameter outcome: nil where the request failed.
    func fetched(_ outcome: RequestProcessor.Outcome?, seconds: Double) {
        requestSeconds.observe(seconds)
        guard let outcome else { return }
        let count = outcome.rows.ledgers.count
        ledgers.add(Double(count))
        requestLedgers.observe(Double(count))
        decodeSeconds.observe(outcome.seconds / Double(max(1, count)), times: count)
        ignoredEvents.add(Double(outcome.ignoredEvents))
    }

    /// How things stand once a second.
    func tick(_ source: any LedgerSource, requestsInFlight: Int, batchesHeld: Int) {
        inFlight.set(Double(requestsInFlight))
        held.set(Double(batchesHeld))
        let (bytes, causes) = (source.bytesReceived, source.retriesByCause)
        let before = counted.withLock { counted in
            defer { counted = (bytes, causes) }
            return counted
        }
        responseBytes.add(Double(bytes - before.bytes))
        for (cause, count) in causes { retries.add(Double(count - (before.retries[cause] ?? 0)), cause.rawValue) }
    }
}
