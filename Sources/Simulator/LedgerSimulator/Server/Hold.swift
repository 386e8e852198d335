internal import Synchronization

/// Keeps responses back from some ledger on, until a request lets them go: how long a program waits for a ledger is up to who asks.
final class Hold: Sendable {
    private struct State {
        /// The first ledger that is kept back; nil: none is.
        var from: UInt32?
        /// Ends when everything is let go.
        var held: Task<Void, any Error>
    }

    private let state: Mutex<State>

    init(from: UInt32?) {
        state = Mutex(State(from: from, held: Self.forever()))
    }

    /// What of these ledgers can be served: what comes before the first that is kept back, at once; all of them, where that is the first of them, once
    /// it is let go.
    func pass(_ ledgers: ClosedRange<UInt32>) async -> ClosedRange<UInt32> {
        let (from, held) = state.withLock { ($0.from, $0.held) }
        guard let from, ledgers.upperBound >= from else { return ledgers }
        if ledgers.lowerBound < from { return ledgers.lowerBound...(from - 1) }
        _ = await held.result
        return ledgers
    }

    /// Lets everything go that waits, and what comes later.
    func release() {
        state.withLock { state in
            state.from = nil
            state.held.cancel()
        }
    }

    /// Keeps back from another ledger on. What waits already goes on waiting.
    func hold(from ledger: UInt32) {
        state.withLock { state in
            if state.from == nil { state.held = Self.forever() }
            state.from = ledger
        }
    }

    private static func forever() -> Task<Void, any Error> {
        Task { try await Task.sleep(for: .seconds(Int32.max)) }
    }
}
