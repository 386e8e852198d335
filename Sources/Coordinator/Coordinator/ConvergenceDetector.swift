/// Decides when a migration that has caught up has converged: says after every look whether there is more to do, whether to wait on, or whether it has converged.
///
/// A look has two parts, in this order: does live ingestion hold its lock, and then a snapshot of the cursors and the latest ingested ledger. So
/// whatever live ingestion committed before it let go of its lock is in the snapshot, and one that starts after the question finds the cursors at
/// their places and takes them over. The other way round, a ledger could be passed by between the two and never get its rows.
package struct ConvergenceDetector: Hashable, Sendable {
    /// What to do after a look.
    package enum Decision: Sendable, Equatable {
        /// A cursor or the latest ingested ledger has moved: a new round reads it all.
        case readAgain
        /// The wait is not over.
        case waitOn
        /// The wait is over, but live ingestion runs: only its taking over ends the migration.
        case waitForLiveIngestion
        /// No ledger came within the wait, and live ingestion did not run in all of it, or convergence is accepted in spite of it.
        case converged
    }

    private let wait: Duration
    private let acceptConvergence: Bool
    private let began: Duration
    /// Since when live ingestion has not been seen running. A whole wait without it: a server process whose client is dead may still end its last COMMIT.
    package private(set) var quietSince: Duration?

    /// Begins to wait.
    /// - Parameters:
    ///   - wait: how long neither a ledger must come nor live ingestion be seen.
    ///   - acceptConvergence: the wait alone is enough.
    ///   - time: now, on any clock that the looks use too.
    package init(wait: Duration, acceptConvergence: Bool, at time: Duration) {
        self.wait = wait
        self.acceptConvergence = acceptConvergence
        began = time
    }

    /// Decides after a look.
    /// - Parameters:
    ///   - liveIngestionRuns: the response to the look's first part; true where that cannot be known.
    ///   - moved: its second part: a cursor or the latest ingested ledger does not stand at the target any more.
    ///   - time: when the first part was asked.
    package mutating func decide(liveIngestionRuns: Bool, moved: Bool, at time: Duration) -> Decision {
        if moved { return .readAgain }
        quietSince = liveIngestionRuns ? nil : quietSince ?? time
        if let quietSince, time - quietSince >= wait { return .converged }
        guard time - began >= wait else { return .waitOn }
        if acceptConvergence { return .converged }
        return liveIngestionRuns ? .waitForLiveIngestion : .waitOn
    }
}
