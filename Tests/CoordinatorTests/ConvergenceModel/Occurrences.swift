import Coordinator

/// How often things happened in an exploration, to be sure that it has been everywhere, and for what must never happen.
struct Occurrences {
    /// Swaps of a writer that found a cursor elsewhere.
    private(set) var refusedSwaps = 0
    /// Protocols found to be handed off by the snapshot of a round, and by a look during one.
    private(set) var handoffsInSnapshots = 0
    private(set) var handoffsInLooks = 0
    private(set) var convergences = 0
    /// Commits of writers that were given up or had lost their coordinator.
    private(set) var commitsOfOldWriters = 0
    private(set) var lateCommits = 0
    /// Crashes of the server that lost something.
    private(set) var lossyCrashes = 0

    mutating func count(_ step: ModelStep, from before: ModelState, to after: ModelState) {
        switch step {
        case .writerSwaps(_, _, _, let refused): if !refused.isEmpty { refusedSwaps += 1 }
        case .roundBegins, .snapshotAtTheTip, .snapshotEndsIt:
            if before.migration.succeeded != after.migration.succeeded { handoffsInSnapshots += 1 }
        case .lookAnswered(let handedOff): if !handedOff.isEmpty { handoffsInLooks += 1 }
        case .tipDecision(.converged): convergences += 1
        case .writerCommits(let orphan, _, _): if orphan { commitsOfOldWriters += 1 }
        case .lateCommitLands: lateCommits += 1
        case .serverCrashes: if before.database != after.database { lossyCrashes += 1 }
        default: break
        }
    }
}

extension Occurrences: CustomStringConvertible {
    var description: String {
        """
        refused swaps \(refusedSwaps), handoffs in snapshots \(handoffsInSnapshots), in looks \(handoffsInLooks), convergences \(convergences), \
        commits of old writers \(commitsOfOldWriters), late commits \(lateCommits), lossy crashes \(lossyCrashes)
        """
    }
}
