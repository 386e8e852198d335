package import Pipeline
package import StateChanges
package import Store

/// Phase 1: may these protocols be migrated? Decides on what was read, writes nothing.
package enum Validation {
    /// What is to be done.
    package struct Verdict: Sendable, Equatable {
        /// In the order given.
        package let toMigrate: [ProtocolID]
        /// Their history is complete already.
        package let complete: [ProtocolID]
        /// Those of `toMigrate` that begin again from the start.
        package let toRebuild: [ProtocolID]
        /// The ledgers that the source must have; nil where the cursors stand at the latest ingested ledger already.
        package let neededLedgers: LedgerRange?
    }

    /// What was found, all of it: a migration refuses at the first problem, a plan names them all and goes on.
    package struct Examination: Sendable, Equatable {
        /// What is to be done where there are no problems; else what would be, of the protocols that have none of their own.
        package let verdict: Verdict
        /// One sentence each.
        package let problems: [String]
        /// The ledgers behind which those of `toMigrate` begin, where that is known.
        package let starts: [ProtocolID: UInt32]
    }

    /// - Parameter rebuilds: histories begin again from the start, unless they are in progress: then they go on.
    /// - Throws: `StopCause.failure` with every reason, one sentence each.
    static func judge(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, names: CursorNames, rebuilds: Bool = false
    ) throws(StopCause) -> Verdict {
        let examination = examine(ids, found, names: names, rebuilds: rebuilds)
        guard examination.problems.isEmpty else { throw .failure(examination.problems.joined(separator: "; ")) }
        return examination.verdict
    }

    /// The same without an end at problems.
    package static func examine(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, names: CursorNames, rebuilds: Bool = false
    ) -> Examination {
        var problems: [String] = []
        var toMigrate: [ProtocolID] = []
        var complete: [ProtocolID] = []
        var toRebuild: [ProtocolID] = []
        for id in ids {
            guard let record = found.records[id] else {
                problems.append("\(id.rawValue) has no row in table protocols: 'wallet-backend migrate up' registers what this build knows")
                continue
            }
            guard record.classificationStatus == .success else {
                problems.append(
                    "\(id.rawValue): classification_status is '\(record.classificationStatus.rawValue)', not 'success': its contracts are not known yet"
                )
                continue
            }
            if rebuilds, record.historyMigrationStatus != .inProgress { toRebuild.append(id) }
            if record.historyMigrationStatus == .success, !rebuilds { complete.append(id) } else { toMigrate.append(id) }
        }
        if !toMigrate.isEmpty || !problems.isEmpty {
            switch found.oldest {
            case .missing, .ledger(0):
                problems.append("ingestion has not started yet: \(names.oldest) in ingest_store is \(found.oldest)")
            case .malformed:
                problems.append("\(names.oldest) in ingest_store is \(found.oldest); correct it by hand")
            case .ledger: break
            }
            for id in toMigrate {
                if !toRebuild.contains(id), case .malformed? = found.historyCursors[id], let reading = found.historyCursors[id] {
                    problems.append("\(CursorNames.history(id)) in ingest_store is \(reading); correct it by hand")
                }
            }
        }
        let starts = starts(toMigrate, found, fromTheStart: toRebuild)
        let verdict = Verdict(
            toMigrate: toMigrate, complete: complete, toRebuild: toRebuild, neededLedgers: neededLedgers(starts, found.latest))
        return Examination(verdict: verdict, problems: problems, starts: starts)
    }

    /// Where each cursor stands, or will be put.
    private static func starts(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, fromTheStart: [ProtocolID]
    ) -> [ProtocolID: UInt32] {
        guard case .ledger(let oldest) = found.oldest, oldest > 0 else { return [:] }
        var starts: [ProtocolID: UInt32] = [:]
        for id in ids {
            if !fromTheStart.contains(id), case .ledger(let cursor)? = found.historyCursors[id] {
                starts[id] = max(cursor, oldest - 1)
            } else {
                starts[id] = oldest - 1
            }
        }
        return starts
    }

    /// From the start that is furthest behind to the latest ingested ledger.
    private static func neededLedgers(_ starts: [ProtocolID: UInt32], _ latest: CursorReading) -> LedgerRange? {
        guard case .ledger(let latest) = latest, let lowest = starts.values.min(), lowest < latest else { return nil }
        return (lowest + 1)...latest
    }
}
