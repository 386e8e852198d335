import Logging
import Pipeline
import StellarXDR
import Store

/// The migration from the first round to the last protocol: reads the database, decides what each cursor means, has the ledgers between
/// cursors and target processed, waits at the tip, and says how each protocol ended. Everything that happens comes through one loop of events.
struct Migration: Sendable {
    let configuration: HistoryConfiguration
    let desk: ControlDesk
    let database: MigrationDatabase
    let tip: NetworkTip
    let metrics: MigrationMetrics
    let logger: Logger

    /// Rounds until no protocol remains.
    ///
    /// - Throws: `RunStopped` where the run cannot go on; what is committed stays, and `state` tells what has been reached.
    func rounds(_ loop: inout CoordinatorLoop) async throws(RunStopped) {
        while !loop.state.remaining.isEmpty {
            try await loop.until { $0.readyWriter != nil || $0.hopeless != nil }
            if let reason = loop.state.hopeless { throw .failure(reason) }
            let writer = loop.state.readyWriter
            let snapshot = try await read(&loop)
            guard case .ledger(let target) = snapshot.latest else {
                throw .failure(
                    "\(configuration.cursorNames.latest) in ingest_store is \(snapshot.latest): there is no target to work towards")
            }
            judge(snapshot, &loop)
            try await record(&loop)
            if loop.state.remaining.isEmpty { return }
            let cursors = loop.state.committed.filter { loop.state.remaining.contains($0.key) }
            let plan = RoundPlan(cursors: cursors, target: target)
            metrics.target(target)
            loop.state.target = target
            if plan.segments.isEmpty {
                try await waitAtTip(target, &loop)
                try await record(&loop)
            } else if loop.state.readyWriter == writer {
                // Otherwise the writer was lost meanwhile: nobody would hear of the round, and a snapshot counts for a writer that was ready before it.
                let contracts = (snapshot.trackedContracts ?? [:]).mapValues { $0.map(\.hex) }
                try await process(plan, cursors, target, contracts, &loop)
            }
        }
    }
}
