import Coordinator
import Pipeline

/// What makes two worlds the same. Round numbers count from the current one and the numbers of workers not at all, since nothing is decided by them; what is
/// only for the log is left out.
extension ModelWorld {
    var fingerprint: UInt64 {
        var hasher = Hasher()
        hasher.combine(database)
        hasher.combine(live)
        for coordinator in coordinators { coordinator.combine(into: &hasher) }
        hasher.combine(orphans)
        hasher.combine(meddling)
        hasher.combine(isWarned)
        hasher.combine(faults)
        hasher.combine(hands)
        hasher.combine(retentions)
        hasher.combine(violation == nil)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

extension ModelCoordinator {
    fileprivate func combine(into hasher: inout Hasher) {
        hasher.combine(protocols)
        hasher.combine(isSessionLost)
        hasher.combine(question)
        hasher.combine(result)
        hasher.combine(isPausing)
        hasher.combine(hasWaited)
        hasher.combine(contractsRead)
        hasher.combine(fetcher.incarnation)
        hasher.combine(age(fetcher.round))
        hasher.combine(fetcher.contracts)
        hasher.combine(fetcher.delivered)
        hasher.combine(fetcher.hasAsked)
        hasher.combine(isSnapshotForThisWriter)
        if let writer { combine(writer, into: &hasher) }
        hasher.combine(inbox.count)
        for report in inbox { combine(report, into: &hasher) }
        combine(machine, into: &hasher)
    }

    private func age(_ round: RoundNumber?) -> Int { round.map { $0 == 0 ? -1 : machine.roundNumber - $0 } ?? -2 }

    private func combine(_ writer: ModelWriter, into hasher: inout Hasher) {
        var rebased = writer
        rebased.round = age(writer.round)
        rebased.halted = writer.halted.map { age($0) }
        rebased.transaction?.round = writer.transaction?.round.map { age($0) }
        rebased.commands = []
        hasher.combine(rebased)
        hasher.combine(writer.commands.count)
        for command in writer.commands {
            switch command {
            case .begin(let round, let cursors, let set):
                hasher.combine(age(round))
                hasher.combine(cursors)
                hasher.combine(set)
            case .drop(let index): hasher.combine(100 + index)
            case .halt(let round): hasher.combine(200 + age(round))
            }
        }
    }

    private func combine(_ report: ModelReport, into hasher: inout Hasher) {
        switch report {
        case .ready: hasher.combine(report)
        case .stopped(let round): hasher.combine(ModelReport.stopped(age(round)))
        case .interrupted(let round, let permanent): hasher.combine(ModelReport.interrupted(age(round), permanent: permanent))
        case .belowOldest(let round, let last, let set, let oldest):
            hasher.combine(ModelReport.belowOldest(age(round), last: last, set, oldest: oldest))
        case .committed(let round, let first, let last, let swapped, let refused, let found):
            hasher.combine(ModelReport.committed(age(round), first: first, last: last, swapped: swapped, refused: refused, found: found))
        }
    }

    private func combine(_ machine: Machine, into hasher: inout Hasher) {
        for progress in machine.progress {
            hasher.combine(progress.start)
            hasher.combine(progress.committed)
            hasher.combine(progress.floor)
            hasher.combine(progress.attempted)
            switch progress.outcome {
            case .failed: hasher.combine(-1)
            case nil: hasher.combine(-2)
            default: hasher.combine(progress.outcome)
            }
            hasher.combine(progress.isRecorded)
            hasher.combine(progress.failedSwap?.attempted)
            hasher.combine(progress.forward)
        }
        hasher.combine(machine.registry.writer == nil)
        hasher.combine(machine.writer.isReady)
        hasher.combine(machine.writer.hasStopped(round: machine.roundNumber))
        hasher.combine(machine.target)
        hasher.combine(machine.contracts?.digest)
        switch machine.pending {
        case .roundSnapshot(let writer):
            hasher.combine(1)
            hasher.combine(writer == machine.registry.writer?.id)
        case let pending: hasher.combine(pending)
        }
        switch machine.phase {
        case .planning(let plan):
            hasher.combine(1)
            hasher.combine(plan.target)
            hasher.combine(plan.lowestCursor)
            hasher.combine(plan.writer == machine.registry.writer?.id)
        case .round(let round):
            hasher.combine(2)
            hasher.combine(round.target)
            hasher.combine(round.leases)
            hasher.combine(round.lookIsDue)
            hasher.combine(round.isOvertaken)
            hasher.combine(round.interrupted == nil)
            hasher.combine(round.failure == nil)
        case .tip(let step):
            hasher.combine(3)
            hasher.combine(step)
            hasher.combine(machine.tip?.ledger)
            hasher.combine(machine.tip?.detector)
        case .stopping(let stop):
            hasher.combine(4)
            if case .signal = stop.cause { hasher.combine(true) }
        case .recordingAtEnd(let cause):
            hasher.combine(5)
            if case .signal? = cause { hasher.combine(true) }
        case let phase: hasher.combine(phase)
        }
    }
}
