import Coordinator
import Foundation

/// Visits every world that can be reached, nearest first, so that the way to a wrong one is as short as can be. Worlds are told apart by their fingerprints;
/// whole ones are kept only until their steps are taken.
struct Explorer {
    struct Exploration {
        let states: Int
        let transitions: Int
        let occurrences: Occurrences
        /// The first wrong world: what is wrong with it, and how it is reached.
        let counterexample: Counterexample?
        /// A world from which waiting does not lead to an end, whatever happens by itself.
        let trap: Counterexample?
        /// It was ended by the limit.
        let isCutShort: Bool
    }

    struct Counterexample: CustomStringConvertible {
        let violation: String
        let steps: [ModelStep]
        let end: ModelWorld

        var description: String {
            let lines = steps.enumerated().map { "  \($0 + 1). \($1)" }
            return (["\(violation), after \(steps.count) steps"] + lines + ["  then: \(end)"]).joined(separator: "\n")
        }
    }

    private let rules: ModelRules
    private let limit: Int
    private let plans = PlanTable()
    /// Numbers by fingerprint.
    private var numbers: [UInt64: Int32] = [:]
    /// How each world was reached first: from which one, and by which of its steps.
    private var origins: [(parent: Int32, step: Int32)] = []
    private var goals: [Bool] = []
    /// The fair steps of world n lead to `targets[offsets[n]..<offsets[n + 1]]`.
    private var targets: [Int32] = []
    private var offsets: [Int32] = [0]
    private var transitions = 0
    private var occurrences = Occurrences()

    private init(_ rules: ModelRules, limit: Int) {
        self.rules = rules
        self.limit = limit
    }

    /// Explores it all, or up to the first wrong world; on a thread of its own, so that tests which wait for processes can go on meanwhile.
    static func explore(_ rules: ModelRules, limit: Int = 3_000_000) async -> Exploration {
        await withCheckedContinuation { continuation in
            let thread = Thread {
                var explorer = Explorer(rules, limit: limit)
                continuation.resume(returning: explorer.run())
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    private mutating func run() -> Exploration {
        let beginning = ModelWorld(rules)
        var frontier = [beginning]
        var next: [ModelWorld] = []
        numbers[beginning.fingerprint] = 0
        origins.append((-1, 0))
        goals.append(beginning.isGoal(rules))
        var number: Int32 = 0
        var wrong: (number: Int32, what: String)?
        search: while !frontier.isEmpty {
            next.removeAll(keepingCapacity: true)
            for world in frontier {
                if numbers.count > limit { break search }
                var step: Int32 = 0
                func take(_ taken: ModelStep, _ after: ModelWorld, isFair: Bool) {
                    defer { step += 1 }
                    transitions += 1
                    let fingerprint = after.fingerprint
                    if let known = numbers[fingerprint] {
                        if isFair { targets.append(known) }
                        return
                    }
                    occurrences.count(taken, from: world, to: after)
                    let reached = Int32(numbers.count)
                    numbers[fingerprint] = reached
                    if isFair { targets.append(reached) }
                    origins.append((number, step))
                    goals.append(after.isGoal(rules))
                    next.append(after)
                    if wrong == nil, let what = after.wrong(rules) { wrong = (reached, what) }
                }
                world.successors(rules, plans, fair: { take($0, $1, isFair: true) }, fault: { take($0, $1, isFair: false) })
                offsets.append(Int32(targets.count))
                number += 1
                if wrong != nil { break search }
            }
            swap(&frontier, &next)
        }
        let isCutShort = numbers.count > limit
        let counterexample = wrong.map { trace(to: $0.number, $0.what) }
        let trap = wrong == nil && !isCutShort ? trap().map { trace(to: $0, "however long one waits, it comes to no end") } : nil
        return Exploration(
            states: numbers.count, transitions: transitions, occurrences: occurrences, counterexample: counterexample, trap: trap,
            isCutShort: isCutShort)
    }

    /// The first world from which no goal can be reached without a fault. Goes from the goals backwards; as worlds are numbered by their distance from the
    /// beginning, few passes from the last to the first are enough.
    private func trap() -> Int32? {
        var reaches = goals
        var changed = true
        while changed {
            changed = false
            for world in reaches.indices.reversed() where !reaches[world] {
                if targets[Int(offsets[world])..<Int(offsets[world + 1])].contains(where: { reaches[Int($0)] }) {
                    reaches[world] = true
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
            path.append(origins[Int(index)].step)
            index = origins[Int(index)].parent
        }
        var world = ModelWorld(rules)
        var steps: [ModelStep] = []
        for wanted in path.reversed() {
            var step: Int32 = 0
            var found: (ModelStep, ModelWorld)?
            func take(_ taken: ModelStep, _ after: ModelWorld) {
                if step == wanted { found = (taken, after) }
                step += 1
            }
            world.successors(rules, plans, fair: take, fault: take)
            guard let found else { break }
            steps.append(found.0)
            world = found.1
        }
        return Counterexample(violation: violation, steps: steps, end: world)
    }
}

/// How often things happened in an exploration, to be sure that it has been everywhere.
struct Occurrences: CustomStringConvertible {
    private(set) var handoffs = 0
    private(set) var convergences = 0
    private(set) var failures = 0
    /// Commits of writers that were given up or had lost their coordinator.
    private(set) var commitsOfOldWriters = 0
    private(set) var lateCommits = 0
    /// Crashes of the server that lost something.
    private(set) var lossyCrashes = 0
    private(set) var looks = 0
    private(set) var refusedRecords = 0
    private(set) var warnings = 0
    /// Runs that ended because another migration had the locks.
    private(set) var locksLostForGood = 0
    /// Cursors that were swapped forward, as far as the coordinator has heard of it.
    private(set) var forwards = 0
    /// Swaps forward that took effect without the coordinator's hearing of it.
    private(set) var unheardForwards = 0
    /// Transactions that found their ledgers below the oldest one.
    private(set) var commitsBelowOldest = 0

    mutating func count(_ step: ModelStep, from before: ModelWorld, to after: ModelWorld) {
        switch step {
        case .writerCommits(let orphan, _, _): if orphan { commitsOfOldWriters += 1 }
        case .lateCommitLands: lateCommits += 1
        case .looksWhileTheRoundRuns: looks += 1
        case .resultComes(.recorded(let complete)): if complete.isEmpty { refusedRecords += 1 }
        case .resultComes(.snapshot):
            for (old, new) in zip(before.coordinators, after.coordinators) {
                for (was, now) in zip(old.machine.progress, new.machine.progress) where was.outcome == nil {
                    switch now.outcome {
                    case .handoff: handoffs += 1
                    case .converged: convergences += 1
                    case .failed: failures += 1
                    case nil: break
                    }
                }
            }
        case .resultComes(.movedForward(let moved)): if !moved.isEmpty { forwards += 1 }
        case .sessionBreaks, .serverCrashes:
            for (old, new) in zip(before.coordinators, after.coordinators) {
                if case .movedForward? = old.result, old.result != new.result { unheardForwards += 1 }
            }
            if case .serverCrashes = step, before.database != after.database { lossyCrashes += 1 }
        case .reportComes(.belowOldest): commitsBelowOldest += 1
        case .asksAtOnce(.restoreLocks): if after.coordinators.contains(where: \.isSessionLost) { locksLostForGood += 1 }
        default: break
        }
        if before.isWarned.isEmpty, !after.isWarned.isEmpty { warnings += 1 }
    }

    var description: String {
        """
        handoffs \(handoffs), convergences \(convergences), failures \(failures), commits of old writers \(commitsOfOldWriters), late commits \
        \(lateCommits), lossy crashes \(lossyCrashes), looks \(looks), refused records \(refusedRecords), warnings \(warnings), locks lost for good \
        \(locksLostForGood), forwards \(forwards), unheard \(unheardForwards), commits below the oldest \(commitsBelowOldest)
        """
    }
}
