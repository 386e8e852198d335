/// Keeps answers back from some ledger on, until it is told to let them go: how long a program waits for a ledger is up to who asks.
struct Hold: Sendable {
    /// The first ledger that is kept back; nil: none is.
    let from: UInt32?
    private let held = Task { try await Task.sleep(for: .seconds(Int32.max)) }

    /// Returns once everything is released; at once for ledgers before the first that is kept back.
    func pass(_ ledgers: ClosedRange<UInt32>) async {
        guard let from, ledgers.upperBound >= from else { return }
        _ = await held.result
    }

    /// Lets everything go, for good.
    func release() { held.cancel() }
}
