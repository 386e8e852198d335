import Logging
import Pipeline
import Protocols
import Store

/// Work on the ledgers between cursors and target.
extension Migration {
    /// A round of fewer is not worth two lines in the log.
    private static let fewLedgers = 10

    /// One round: from the cursors to the target. An interruption ends it early; the next round reads the database again.
    func process(
        _ plan: RoundPlan, _ cursors: [ProtocolID: UInt32], _ target: UInt32, _ contracts: [ProtocolID: [String]],
        _ loop: inout CoordinatorLoop
    ) async throws(RunStopped) {
        loop.state.epoch += 1
        let board = BatchBoard(
            plan: plan, batchLength: configuration.batchSize,
            window: .forFetchers(max(loop.state.roster.fetchers.count, configuration.fetchers), batchSize: configuration.batchSize))
        // At the tip, while live ingestion passes ledgers by, rounds of a ledger or two come by the dozen.
        let level: Logger.Level = loop.state.epoch > 1 && plan.ledgerCount < Self.fewLedgers ? .debug : .info
        logger.log(
            level: level,
            "round begins",
            metadata: [
                "round": "\(loop.state.epoch)", "target": "\(target)", "ledgers": "\(plan.ledgerCount)",
                "cursors": "\(cursors.map { "\($0.key.rawValue)=\($0.value)" }.sorted().joined(separator: " "))",
                "contracts": "\(contracts.map { "\($0.key.rawValue)=\($0.value.count)" }.sorted().joined(separator: " "))",
            ])
        loop.begin(Round(epoch: loop.state.epoch, cursors: cursors, contracts: contracts, board: board), ledgers: plan.ledgerCount)
        while true {
            try await loop.until { $0.lookDue || $0.round?.needsAttention ?? true }
            if loop.state.lookDue { try await look(&loop) }
            if let swaps = loop.state.round?.failedSwaps, !swaps.isEmpty { try await verify(swaps, &loop) }
            try await record(&loop)
            // The round is gone where the lock session was lost over one of these.
            guard let round = loop.state.round else { return }
            if let failure = round.failure { throw .failure(failure) }
            if let reason = round.interrupted {
                logger.warning(
                    "round interrupted, the next one begins where the database stands",
                    metadata: ["round": "\(round.epoch)", "cause": "\(reason)"])
                for id in loop.state.remaining { loop.state.floor[id] = loop.state.starts[id] }
                desk.halt(&loop.state)
                return
            }
            if round.board.isComplete {
                // Whatever was handed out has been reported: the cursor can only be where the writer said.
                for id in loop.state.remaining {
                    loop.state.attempted[id] = loop.state.committed[id]
                    loop.state.floor[id] = loop.state.committed[id]
                }
                logger.log(level: level, "round complete", metadata: ["round": "\(round.epoch)", "target": "\(target)"])
                loop.state.round = nil
                return
            }
        }
    }

    /// Looks after the cursors while a round runs: a protocol that was at the tip already may have been handed off, and a cursor that a hand has moved
    /// is better told at once than at the next swap. It also notices within a second that the session with the locks is gone.
    private func look(_ loop: inout CoordinatorLoop) async throws(RunStopped) {
        loop.state.lookDue = false
        let asked = loop.state.committed
        let snapshot = try await read(withContracts: false, &loop)
        guard loop.state.round != nil else { return }
        for id in loop.state.remaining {
            let committed = asked[id] ?? 0
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(id), floor: min(loop.state.floor[id] ?? committed, committed), committed: committed,
                attempted: loop.state.attempted[id] ?? committed, latest: snapshot.latestLedger)
            switch verdict {
            case .ours: break
            case .handoff(let ledger):
                handOff(id, at: ledger, seen: "while the round runs", through: max(committed, loop.state.attempted[id] ?? 0), &loop)
            case .foreign(let numbers): leave(id, .failed("cursor \(CursorNames.history(id)): \(numbers)"), &loop)
            }
        }
    }

    /// A swap failed: live ingestion took the cursor over, or something else touched it. One snapshot tells.
    private func verify(_ swaps: [Round.FailedSwap], _ loop: inout CoordinatorLoop) async throws(RunStopped) {
        loop.state.round?.failedSwaps.removeAll { swap in swaps.contains { $0.id == swap.id } }
        let snapshot = try await read(&loop)
        // Without a round the lock session was lost over the question: the next round judges the cursors.
        guard loop.state.round != nil else { return }
        for swap in swaps where loop.state.remaining.contains(swap.id) {
            let committed = loop.state.committed[swap.id] ?? 0
            logger.info(
                "cursor swap failed, verifying",
                metadata: [
                    "protocol": "\(swap.id.rawValue)", "attempted": "\(committed)->\(swap.attempted)", "found": "\(swap.found ?? "no row")",
                    "latest": "\(snapshot.latest)",
                ])
            let verdict = CursorVerdict.judge(
                cursor: snapshot.reading(swap.id), floor: committed, committed: committed, attempted: committed,
                latest: snapshot.latestLedger)
            switch verdict {
            case .handoff(let ledger) where ledger >= swap.attempted:
                handOff(swap.id, at: ledger, seen: "by a failed swap", through: committed, &loop)
            case .handoff(let ledger), .ours(let ledger):
                let numbers = "the swap to \(swap.attempted) found \(swap.found ?? "no row"), and now it stands at \(ledger)"
                leave(swap.id, .failed("cursor \(CursorNames.history(swap.id)): \(numbers)"), &loop)
            case .foreign(let numbers):
                leave(swap.id, .failed("cursor \(CursorNames.history(swap.id)): \(numbers)"), &loop)
            }
        }
    }
}
