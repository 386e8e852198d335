package import Store

/// What a reading of a protocol's history cursor means, given what this migration did to it.
package enum CursorVerdict: Sendable, Equatable {
    /// It stands where our own commits put it.
    case ours(UInt32)
    /// Live ingestion moved it: it is past what we can have committed and equal to the latest ingested ledger.
    case handoff(at: UInt32)
    /// Something else moved or removed it; the text gives the numbers.
    case foreign(String)

    /// What counts as attempted before a run's first snapshot: anything. A writer of an earlier run may go on committing until the first writer of
    /// this one is ready, so the cursor that was read when the run began says only where it stands at least.
    package static let anythingAttempted = UInt32.max

    /// Judges a cursor.
    /// - Parameters:
    ///   - cursor: what the database holds.
    ///   - floor: the lowest ledger at which the cursor can stand without foul play: `committed`, unless the server may have crashed, for then
    ///     its last commits, which do not wait for the disk, may be lost with their rows.
    ///   - committed: the last ledger that the writer reported as committed, or the cursor that the run began with.
    ///   - attempted: the highest ledger that the writer can have committed without our knowing (a report may be lost with its process);
    ///     equal to `committed` where nothing is unknown.
    ///   - latest: `latest_ingest_ledger`, read in the same snapshot.
    package static func judge(
        cursor: CursorReading, floor: UInt32, committed: UInt32, attempted: UInt32, latest: UInt32
    ) -> CursorVerdict {
        switch cursor {
        case .missing:
            return .foreign("its row is gone; this run had committed up to ledger \(committed), the latest ingested ledger is \(latest)")
        case .malformed(let text):
            return .foreign("it holds \"\(text)\", which is no ledger number; this run had committed up to ledger \(committed)")
        case .ledger(let value) where value < floor:
            return .foreign("it was moved back to \(value); this run had committed up to ledger \(committed)")
        case .ledger(let value) where value <= max(attempted, committed):
            return .ours(value)
        case .ledger(let value) where value == latest:
            return .handoff(at: value)
        case .ledger(let value):
            return .foreign(
                "it stands at \(value), which is neither what this run committed (\(committed)) nor the latest ingested ledger (\(latest)): "
                    + "something other than live ingestion moved it")
        }
    }
}
