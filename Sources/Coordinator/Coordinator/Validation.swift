import Pipeline
import StateChanges
import Store

/// Phase 1: may these protocols be migrated? Decides on what was read, writes nothing.
enum Validation {
    /// What is to be done.
    struct Verdict: Sendable, Equatable {
        /// In the order given.
        let toMigrate: [ProtocolID]
        /// Their history is complete already.
        let complete: [ProtocolID]
        /// Those of `toMigrate` that begin again from the start.
        let toRebuild: [ProtocolID]
        /// The ledgers that the source must have; nil where the cursors stand at the latest ingested ledger already.
        let neededLedgers: LedgerRange?
    }

    /// - Parameter rebuilds: histories begin again from the start, unless they are in progress: then they go on.
    /// - Throws: `StopCause.failure` with every reason, one sentence each.
    static func judge(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, names: CursorNames, rebuilds: Bool = false
    ) throws(StopCause) -> Verdict {
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
        guard problems.isEmpty else { throw .failure(problems.joined(separator: "; ")) }
        return Verdict(
            toMigrate: toMigrate, complete: complete, toRebuild: toRebuild,
            neededLedgers: neededLedgers(toMigrate, found, fromTheStart: toRebuild))
    }

    /// From where the cursor that is furthest behind stands, or will be put, to the latest ingested ledger.
    private static func neededLedgers(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, fromTheStart: [ProtocolID]
    ) -> LedgerRange? {
        guard case .ledger(let oldest) = found.oldest, oldest > 0, case .ledger(let latest) = found.latest else { return nil }
        let cursors = ids.map { id in
            if !fromTheStart.contains(id), case .ledger(let cursor)? = found.historyCursors[id] {
                max(cursor, oldest - 1)
            } else {
                oldest - 1
            }
        }
        guard let lowest = cursors.min(), lowest < latest else { return nil }
        return (lowest + 1)...latest
    }
}
