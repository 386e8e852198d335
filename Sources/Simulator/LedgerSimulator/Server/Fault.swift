internal import Synchronization

/// A way in which a response to getLedgers can go wrong.
enum Fault: String, CaseIterable, Sendable {
    /// HTTP 503 with an empty body.
    case unavailable = "503"
    /// HTTP 504 with an empty body, as after the server's own time limit.
    case gatewayTimeout = "504"
    /// HTTP 429 with `Retry-After: 0`.
    case tooManyRequests = "429"
    /// JSON-RPC error -32603.
    case internalError = "-32603"
    /// JSON-RPC error -32001, as after 10 s in the real server.
    case processingLimit = "-32001"
    /// A page without ledgers.
    case emptyPage = "empty-page"
    /// A body that ends in the middle; then the connection closes.
    case cutBody = "cut-body"
    /// The connection closes before a response.
    case drop
    /// A ledger whose stated hash is not its header's.
    case wrongHash = "wrong-hash"
    /// A ledger that names a predecessor that does not exist.
    case brokenChain = "broken-chain"

    /// Ledgers that a page needs for anybody to notice: a chain of one ledger cannot be broken.
    private var leastLedgers: Int { self == .brokenChain ? 2 : 1 }

    /// Whether a page of so many ledgers can have this fault.
    func fits(_ ledgers: Int) -> Bool { ledgers >= leastLedgers }
}

/// Spoils every so many responses, the faults in turn: the same requests meet the same faults. A fault that a page is too short for is owed: the next
/// page that is long enough has it.
final class FaultPlan: Sendable {
    private struct State {
        var count = 0
        /// The faults, the next one first.
        var turn: [Fault]
        var owed: [Fault] = []
    }

    private let every: Int
    private let state: Mutex<State>

    /// - Parameter every: 2 spoils every second response; 0, or no faults, none.
    init(_ faults: [Fault], every: Int) {
        self.every = every
        state = Mutex(State(turn: faults))
    }

    /// The fault of the next response, which would have so many ledgers.
    func next(ledgers: Int) -> Fault? {
        guard every > 0 else { return nil }
        return state.withLock { state in
            state.count += 1
            if let index = state.owed.firstIndex(where: { $0.fits(ledgers) }) { return state.owed.remove(at: index) }
            guard state.count.isMultiple(of: every) else { return nil }
            for _ in state.turn {
                let fault = state.turn.removeFirst()
                state.turn.append(fault)
                if fault.fits(ledgers) { return fault }
                if !state.owed.contains(fault) { state.owed.append(fault) }
            }
            return nil
        }
    }
}
