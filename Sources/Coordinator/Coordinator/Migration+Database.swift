import Logging
import Pipeline
import Protocols
import Store

/// Questions to the database, whose session holds the migration locks and may be lost.
extension Migration {
    func read(withContracts: Bool = true, _ loop: inout CoordinatorLoop) async throws(RunStopped) -> HistorySnapshot {
        let protocols = loop.state.remaining
        return try await answer(&loop) { try await database.snapshot(of: protocols, withContracts: withContracts) }
    }

    /// Records how protocols ended, at once: whatever happens to the rest of the run, this is known.
    func record(_ loop: inout CoordinatorLoop) async throws(RunStopped) {
        let (reached, failed) = loop.state.unrecorded
        if reached.isEmpty && failed.isEmpty { return }
        let complete = try await answer(&loop) { try await database.record(reached: reached, failed: failed) }
        loop.state.recorded.formUnion(complete.union(failed))
        for id in complete { metrics.ended(id, success: true) }
        for id in failed { metrics.ended(id, success: false) }
        for (id, ledger) in reached where !complete.contains(id) {
            logger.warning(
                "the cursor does not stand any more where the protocol was done, the server has lost its last commits in a crash: going on",
                metadata: ["protocol": "\(id.rawValue)", "reached": "\(ledger)"])
            loop.state.outcomes[id] = nil
            loop.state.remaining.append(id)
            loop.state.floor[id] = loop.state.starts[id]
        }
    }

    /// Asks the database; where the session with the locks is gone, the question is asked again when nothing is committed any more and the locks are back.
    func answer<Answer: Sendable>(
        _ loop: inout CoordinatorLoop,
        _ question: @escaping @Sendable () async throws -> MigrationDatabase.Reply<Answer>
    ) async throws(RunStopped) -> Answer {
        while true {
            switch try await loop.asking(question) {
            case .answer(let answer): return answer
            case .sessionLost(let cause): try await regainLocks(cause, &loop)
            }
        }
    }

    private func regainLocks(_ cause: StoreError, _ loop: inout CoordinatorLoop) async throws(RunStopped) {
        logger.error(
            "the session that holds the migration locks is lost: commits stop until they are ours again",
            metadata: ["cause": "\(cause)", "round": "\(loop.state.round.map { "\($0.epoch)" } ?? "none")"])
        if loop.state.round != nil {
            desk.halt(&loop.state)
            try await loop.until { $0.writerStopped || $0.roster.writer == nil || $0.hopeless != nil }
        }
        _ = try await loop.asking { try await database.restore() }
        logger.notice(
            "the migration locks are ours again", metadata: ["protocols": "\(loop.state.remaining.map(\.rawValue).joined(separator: " "))"])
        // The server may have crashed, and its last commits with it.
        for id in loop.state.remaining { loop.state.floor[id] = loop.state.starts[id] }
        loop.state.target = 0
    }
}
