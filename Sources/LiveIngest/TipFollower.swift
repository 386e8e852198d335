import LedgerSources
import Logging

/// The network's ledgers in order, page by page, however long the next one takes: waits for the tip, repeats what fails, checks the chain.
struct TipFollower: Sendable {
    /// Ledgers that follow one another, and the network's latest when they were fetched.
    struct Page: Sendable {
        let ledgers: [CheckedLedger]
        let link: ChainLink
        let tip: UInt32
    }

    let rpc: StellarRPC
    let metrics: IngestMetrics
    let logger: Logger
    /// A ledger closes every five seconds.
    private static let pollInterval = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(30)
    private static let patienceWithTip = Duration.seconds(60)
    private static let triesForChain = 5

    /// The ledgers from `first` on: at least one, as many as a page takes.
    /// - Parameters:
    ///   - link: what they must follow, where that is known.
    ///   - tip: the network's latest ledger, as far as is known.
    /// - Throws: `IngestError`, a `LedgerSourceError` that no repetition mends, or `CancellationError`.
    func page(from first: UInt32, after link: ChainLink?, knownTip tip: UInt32) async throws -> Page {
        var pause = Self.pollInterval
        var chainBreaks = 0
        while true {
            do {
                let tip = tip >= first ? tip : try await waitForTip(first)
                let (ledgers, found) = try await rpc.page(from: first, limit: Int(tip - first) + 1).copyLedgers()
                if link?.isFollowed(by: found) ?? true { return Page(ledgers: ledgers, link: found, tip: tip) }
                chainBreaks += 1
                guard chainBreaks < Self.triesForChain else { throw IngestError.brokenChain(ledger: first, tries: chainBreaks) }
                logger.error(
                    "the RPC's ledger does not follow the last one ingested, asking again",
                    metadata: ["ledger": "\(first)", "pause": "\(pause)"])
            } catch let error as LedgerSourceError {
                if error.code == .cancelled { throw CancellationError() }
                if error.code == .outsideRetention { throw IngestError.ledgerGone(next: first, detail: error.detail) }
                guard error.isTransient else { throw error }
                logger.warning(
                    "ledger not fetched, trying again", metadata: ["ledger": "\(first)", "cause": "\(error)", "pause": "\(pause)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func waitForTip(_ first: UInt32) async throws -> UInt32 {
        var told = ContinuousClock.now
        while true {
            let health = try await rpc.health()
            metrics.networkTip(health.latestLedger)
            if health.latestLedger >= first { return health.latestLedger }
            if ContinuousClock.now - told >= Self.patienceWithTip {
                told = ContinuousClock.now
                logger.warning(
                    "the network closes no ledger, or the RPC does not see it",
                    metadata: ["next": "\(first)", "network_tip": "\(health.latestLedger)", "for_another": "\(Self.patienceWithTip)"])
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }
}
