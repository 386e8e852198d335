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

    let source: any LedgerSource
    let metrics: IngestMetrics
    let logger: Logger
    /// A ledger closes every five seconds.
    private static let pollInterval = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(30)
    private static let patienceWithTip = Duration.seconds(60)
    private static let triesForChain = 4

    /// Checks that the RPC is on the network with this passphrase, as soon as it responds.
    /// - Throws: a `LedgerSourceError` that no repetition mends, `wrongNetwork` above all, or `CancellationError`.
    func requireNetwork(_ passphrase: String) async throws {
        try await persistently { try await source.requireNetwork(passphrase) }
    }

    /// The ledgers from `first` on: at least one, as many as a page takes.
    /// - Parameters:
    ///   - link: what they must follow, where that is known.
    ///   - tip: the network's latest ledger, as far as is known.
    /// - Throws: `IngestError`, a `LedgerSourceError` that no repetition mends, or `CancellationError`.
    func page(from first: UInt32, after link: ChainLink?, knownTip tip: UInt32) async throws -> Page {
        for chainBreaks in 1...Self.triesForChain {
            let page = try await persistently { try await fetch(first, tip) }
            if link?.isFollowed(by: page.link) ?? true { return page }
            logger.error(
                "the RPC's ledger does not follow the last one ingested",
                metadata: ["ledger": "\(first)", "try": "\(chainBreaks) of \(Self.triesForChain)"])
            if chainBreaks < Self.triesForChain { try await Task.sleep(for: Self.pollInterval * (1 << chainBreaks)) }
        }
        throw IngestError.brokenChain(ledger: first, tries: Self.triesForChain)
    }

    private func fetch(_ first: UInt32, _ tip: UInt32) async throws -> Page {
        let tip = tip >= first ? tip : try await waitForTip(first)
        do {
            let (ledgers, link) = try await source.ledgers(from: first, limit: Int(tip - first) + 1)
            return Page(ledgers: ledgers, link: link, tip: tip)
        } catch let error as LedgerSourceError where error.code == .outsideRetention {
            throw IngestError.ledgerGone(next: first, detail: error.detail)
        }
    }

    /// Repeats a request for as long as it takes.
    private func persistently<Response>(_ request: () async throws -> Response) async throws -> Response {
        var pause = Self.pollInterval
        while true {
            do {
                return try await request()
            } catch let error as LedgerSourceError {
                if error.code == .cancelled { throw CancellationError() }
                guard error.isTransient else { throw error }
                logger.warning("the RPC does not give what is needed, asking again", metadata: ["cause": "\(error)", "pause": "\(pause)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func waitForTip(_ first: UInt32) async throws -> UInt32 {
        var warned = ContinuousClock.now
        while true {
            let tip = try await source.latestLedger(near: first, within: nil)
            metrics.networkTip(tip)
            if tip >= first { return tip }
            if ContinuousClock.now - warned >= Self.patienceWithTip {
                warned = ContinuousClock.now
                logger.warning(
                    "the network closes no ledger, or the source does not see it",
                    metadata: ["next": "\(first)", "network_tip": "\(tip)", "for_another": "\(Self.patienceWithTip)"])
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }
}
