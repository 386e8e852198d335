import Logging
import Protocols
import Store

/// What the cursors of a snapshot mean, and how protocols end.
extension Migration {
    /// Decides for each remaining protocol what its cursor means.
    func judge(_ snapshot: HistorySnapshot, _ loop: inout CoordinatorLoop) {
        for id in loop.state.remaining {
            let committed = loop.state.committed[id] ?? 0
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(id), floor: loop.state.floor[id] ?? committed, committed: committed,
                attempted: loop.state.attempted[id] ?? committed, latest: snapshot.latestLedger)
            switch verdict {
            case .ours(let ledger) where ledger > snapshot.latestLedger:
                let numbers = "it stands at \(ledger), past the latest ingested ledger (\(snapshot.latest))"
                leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &loop)
            case .ours(let ledger):
                if ledger != committed {
                    logger.notice(
                        ledger > committed
                            ? "cursor found past the last report: a commit whose report was lost"
                            : "cursor found before the last report: the server lost its last commits in a crash; they are done again",
                        metadata: ["protocol": "\(id.rawValue)", "cursor": "\(ledger)", "reported": "\(committed)"])
                }
                loop.state.committed[id] = ledger
                loop.state.floor[id] = ledger
                loop.state.attempted[id] = ledger
                metrics.cursor(id, ledger)
            case .handoff(let ledger):
                handOff(id, at: ledger, seen: "in the snapshot", through: max(committed, loop.state.attempted[id] ?? 0), &loop)
            case .foreign(let numbers):
                leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &loop)
            }
        }
    }

    /// - Parameter through: the last ledger that this run can have committed.
    func handOff(_ id: ProtocolID, at cursor: UInt32, seen: String, through: UInt32, _ loop: inout CoordinatorLoop) {
        let context: Logger.Metadata = [
            "protocol": "\(id.rawValue)", "migrated_through": "\(loop.state.committed[id] ?? 0)", "cursor": "\(cursor)", "seen": "\(seen)",
        ]
        if through < loop.state.target {
            logger.warning(
                """
                live ingestion takes a cursor over only where ledger \(loop.state.target) is migrated, which this run has not done: if the cursor was moved \
                by a hand, the ledgers from \(through + 1) on may have no state changes
                """, metadata: context)
        }
        leave(id, .handoff(at: cursor), &loop)
    }

    func leave(_ id: ProtocolID, _ outcome: Outcome, _ loop: inout CoordinatorLoop) {
        loop.state.remaining.removeAll { $0 == id }
        loop.state.outcomes[id] = outcome
        desk.drop(id, &loop.state)
        switch outcome {
        case .handoff(let ledger):
            metrics.handoff(id)
            logger.notice(
                "HANDOFF: live ingestion owns the cursor now, it stands at the latest ingested ledger",
                metadata: ["protocol": "\(id.rawValue)", "migrated_through": "\(loop.state.committed[id] ?? 0)", "cursor": "\(ledger)"])
        case .converged(let ledger):
            metrics.converged(id)
            let why =
                configuration.acceptConvergence
                ? "no further ledger came within the wait, and convergence was accepted with --accept-convergence"
                : "no further ledger came within the wait, and live ingestion is not running (nobody holds its lock)"
            logger.notice(
                "CONVERGED: \(why); live ingestion will go on from here when it starts",
                metadata: ["protocol": "\(id.rawValue)", "migrated_through": "\(ledger)", "cursor": "\(ledger)"])
        case .failed(let cause):
            logger.error("protocol failed", metadata: ["protocol": "\(id.rawValue)", "cause": "\(cause)"])
        }
    }
}

extension HistorySnapshot {
    func reading(_ id: ProtocolID) -> CursorReading { historyCursors[id] ?? .missing }

    /// 0 where there is none: no cursor is equal to that and past ours.
    var latestLedger: UInt32 { if case .ledger(let ledger) = latest { ledger } else { 0 } }
}
