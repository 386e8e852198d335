internal import Synchronization

/// A way in which a response can go wrong; its raw value is its name on the command line and in `/stats`.
protocol SimulatedFault: RawRepresentable<String>, CaseIterable, Equatable, Sendable {
    /// Whether anybody would notice it in a response with so many ledgers.
    func fits(_ ledgers: Int) -> Bool
}

extension SimulatedFault {
    func fits(_ ledgers: Int) -> Bool { true }
}

/// Spoils every so many responses, the faults in turn: the same requests meet the same faults. A fault that a response is too short for is owed: the
/// next one that is long enough has it.
final class FaultPlan<Fault: SimulatedFault>: Sendable {
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
