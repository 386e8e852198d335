import Foundation
/// Visits every state that can be reached, nearest first, so that the way to a wrong one is as short as can be.
struct Explorer {
    struct Exploration {
        let states: Int
        let transitions: Int
        let occurrences: Occurrences
        /// The first wrong state: what is wrong with it, and how it is reached.
        let counterexample: Counterexample?
        /// A state from which the migration can never be completed.
        let trap: Counterexample?
    }

    struct Counterexample: CustomStringConvertible {
        let violation: String
        let steps: [(step: ModelStep, state: ModelState)]

        var description: String {
            let lines = steps.enumerated().map { "  \($0 + 1). \($1.step)" }
            let end = steps.last.map { "  then: \($0.state)" } ?? ""
            return (["\(violation), after \(steps.count) steps"] + lines + [end]).joined(separator: "\n")
        }
    }

    private let model: ConvergenceModel
    private var table = StateTable()
    private var parents: [Int32] = []
    /// The transitions of state n are `targets[offsets[n]..<offsets[n + 1]]`.
    private var targets: [Int32] = []
    private var offsets: [Int32] = [0]
    private var occurrences = Occurrences()

    private init(_ model: ConvergenceModel) { self.model = model }

    /// Explores it all, or up to the first wrong state; on a thread of its own, so that tests which wait for processes can go on meanwhile.
    static func explore(_ rules: ModelRules) async -> Exploration {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var explorer = Explorer(ConvergenceModel(rules))
                continuation.resume(returning: explorer.run())
            }
        }
    }

    private mutating func run() -> Exploration {
        _ = table.insert(model.beginning)
        parents.append(-1)
        var next: Int32 = 0
        var wrong: Int32?
        while Int(next) < table.count, wrong == nil {
            let state = table[next]
            model.successors(of: state) { step, after in
                occurrences.count(step, from: state, to: after)
                let (index, isNew) = table.insert(after)
                targets.append(index)
                guard isNew else { return }
                parents.append(next)
                if wrong == nil, model.violation(in: after) != nil { wrong = index }
            }
            offsets.append(Int32(targets.count))
            next += 1
        }
        let counterexample = wrong.map { trace(to: $0, model.violation(in: table[$0]) ?? "") }
        let trap = wrong == nil ? trap().map { trace(to: $0, "the migration can never be completed") } : nil
        return Exploration(
            states: table.count, transitions: targets.count, occurrences: occurrences, counterexample: counterexample, trap: trap)
    }

    /// The first state from which no goal can be reached. Goes from the goals backwards; as states are numbered by their distance from the
    /// beginning, few passes from the last to the first are enough.
    private func trap() -> Int32? {
        var reaches = (0..<Int32(table.count)).map { model.isGoal(table[$0]) }
        var changed = true
        while changed {
            changed = false
            for state in reaches.indices.reversed() where !reaches[state] {
                if targets[Int(offsets[state])..<Int(offsets[state + 1])].contains(where: { reaches[Int($0)] }) {
                    reaches[state] = true
                    changed = true
                }
            }
        }
        return reaches.firstIndex(of: false).map(Int32.init)
    }

    private func trace(to last: Int32, _ violation: String) -> Counterexample {
        var path: [Int32] = []
        var index = last
        while index > 0 {
            path.append(index)
            index = parents[Int(index)]
        }
        var steps: [(ModelStep, ModelState)] = []
        for index in path.reversed() {
            let state = table[index]
            var found: ModelStep?
            model.successors(of: table[parents[Int(index)]]) { step, after in if after == state, found == nil { found = step } }
            if let found { steps.append((found, state)) }
        }
        return Counterexample(violation: violation, steps: steps)
    }
}
