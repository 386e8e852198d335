internal import Synchronization

/// How often each ledger was served, and what else was asked: what proves that each ledger was fetched once.
final class ServedCounts: Sendable {
    private struct State {
        var ledgers: [UInt16] = []
        var bytes = 0
        var requests: [String: Int] = [:]
        var faults: [String: Int] = [:]
    }

    private let first: UInt32
    private let state = Mutex(State())

    init(first: UInt32) { self.first = first }

    /// Ledgers went out in one response of that many bytes.
    func served(_ ledgers: ClosedRange<UInt32>, bytes: Int) {
        state.withLock { state in
            let end = Int(ledgers.upperBound - first) + 1
            if state.ledgers.count < end { state.ledgers += [UInt16](repeating: 0, count: end - state.ledgers.count) }
            for sequence in ledgers {
                let index = Int(sequence - first)
                if state.ledgers[index] < .max { state.ledgers[index] += 1 }
            }
            state.bytes += bytes
        }
    }

    /// A method was called, or a kind of thing was asked for.
    func requested(_ kind: String) { state.withLock { $0.requests[kind, default: 0] += 1 } }

    /// A response was spoilt on purpose.
    func spoilt(_ fault: some SimulatedFault) { state.withLock { $0.faults[fault.rawValue, default: 0] += 1 } }

    /// `{"served": all in all, "distinct": ..., "max": most for one ledger, "bytes": ..., "faults": {"503": ...}, "requests": {...}}`
    var json: String {
        let state = state.withLock { $0 }
        let served = state.ledgers.reduce(0) { $0 + Int($1) }
        let distinct = state.ledgers.count { $0 > 0 }
        func object(_ counts: [String: Int]) -> String {
            "{" + counts.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
        }
        return """
            {"served": \(served), "distinct": \(distinct), "max": \(state.ledgers.max() ?? 0), "bytes": \(state.bytes), \
            "faults": \(object(state.faults)), "requests": \(object(state.requests))}
            """
    }
}
