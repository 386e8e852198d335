import Logging
import Store

/// What there is to do when all remaining protocols have caught up: wait.
extension Migration {
    /// Between two looks at the tip; every so many of them ask the RPC, too.
    private static let lookInterval = Duration.milliseconds(100)
    private static let looksPerTip = 20

    /// All remaining protocols stand at the target: waits for the next ledger, for a handoff, or for the certainty that nobody else will come.
    func waitAtTip(_ target: UInt32, _ loop: inout CoordinatorLoop) async throws(RunStopped) {
        let start = ContinuousClock.now
        var wait = TipWait(wait: configuration.convergenceWait, acceptConvergence: configuration.acceptConvergence, at: .zero)
        var told = loop.state.tip?.toldThatOnlyHandoffEnds ?? false
        if loop.state.tip == nil {
            logger.info(
                "caught up with the latest ingested ledger, waiting for the next one or for live ingestion to take over",
                metadata: ["ledger": "\(target)", "wait": "\(configuration.convergenceWait)"])
        }
        var looks = 0
        // Until the first look it may have.
        var ranAtLastLook = true
        while true {
            let asked = ContinuousClock.now - start
            let runs = try await liveIngestionRuns(&loop)
            let snapshot = try await read(withContracts: false, &loop)
            let moved = snapshot.latest != .ledger(target) || loop.state.remaining.contains { snapshot.reading($0) != .ledger(target) }
            if !runs, !ranAtLastLook, snapshot.latest != .ledger(target) { doubtTheName(&loop) }
            ranAtLastLook = runs
            var networkTip = loop.state.tip?.networkTip
            // Not with the first look: where ledgers keep coming, nobody reads it.
            if looks % Self.looksPerTip == Self.looksPerTip - 1 {
                networkTip = try await loop.asking { await tip.latest() }
                if let networkTip { metrics.networkTip(networkTip) }
            }
            looks += 1
            let decision = wait.decide(liveIngestionRuns: runs, moved: moved, at: asked)
            if decision == .waitForLiveIngestion, !told {
                told = true
                let why = configuration.network == nil ? "is taken to run (no --network was given)" : "runs"
                logger.info(
                    "no ledger came within the wait, but live ingestion \(why): only its taking over the cursor ends the migration",
                    metadata: ["ledger": "\(target)", "network_tip": "\(networkTip.map(String.init) ?? "unknown")"])
            }
            loop.state.tip = .init(ledger: target, liveIngestionRuns: runs, networkTip: networkTip, toldThatOnlyHandoffEnds: told)
            switch decision {
            case .readAgain:
                return
            case .converged:
                for id in loop.state.remaining { leave(id, .converged(at: target), &loop) }
                return
            case .waitForLiveIngestion, .waitOn:
                _ = try await loop.asking { try await Task.sleep(for: Self.lookInterval) }
            }
        }
    }

    /// A ledger came between two looks though nobody held live ingestion's lock at either: most probably it has another name than we were told.
    private func doubtTheName(_ loop: inout CoordinatorLoop) {
        guard !loop.state.toldDoubtOfTheName else { return }
        loop.state.toldDoubtOfTheName = true
        logger.warning(
            """
            a ledger was stored, but nobody holds live ingestion's lock of this name: was it started with another --network? Then this run may take \
            itself for converged too early: stop it and give the right name
            """, metadata: ["network": "\(configuration.network ?? "")"])
    }

    /// Whether live ingestion runs; true where that cannot be told.
    private func liveIngestionRuns(_ loop: inout CoordinatorLoop) async throws(RunStopped) -> Bool {
        guard let network = configuration.network else { return true }
        return try await answer(&loop) { try await database.liveIngestionRuns(network: network) }
    }
}
