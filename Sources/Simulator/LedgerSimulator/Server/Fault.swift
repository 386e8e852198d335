internal import Synchronization

/// A way in which an answer to getLedgers can go wrong.
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
    /// The connection closes before an answer.
    case drop
    /// A ledger whose stated hash is not its header's.
    case wrongHash = "wrong-hash"
    /// A ledger that names a predecessor that does not exist.
    case brokenChain = "broken-chain"
}

/// Spoils every so many answers, the faults in turn: the same requests meet the same faults.
final class FaultPlan: Sendable {
    private let faults: [Fault]
    private let every: Int
    private let count = Atomic<Int>(0)

    /// - Parameter every: 2 spoils every second answer; 0, or no faults, none.
    init(_ faults: [Fault], every: Int) {
        self.faults = faults
        self.every = every
    }

    /// The fault of the next answer.
    func next() -> Fault? {
        guard every > 0, !faults.isEmpty else { return nil }
        let number = count.add(1, ordering: .relaxed).newValue
        return number.isMultiple(of: every) ? faults[(number / every - 1) % faults.count] : nil
    }
}
