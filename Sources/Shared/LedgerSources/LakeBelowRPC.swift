internal import Logging
internal import Synchronization

/// A data lake for what the RPC does not keep, and the RPC for the rest; each where the other fails to have a ledger.
final class LakeBelowRPC: LedgerSource {
    private let lake: DataLake
    private let rpc: StellarRPC
    private let logger: Logger
    /// The first ledger that the RPC keeps, as it said last.
    private let oldest = Mutex<(ledger: UInt32, askedAt: ContinuousClock.Instant)?>(nil)

    /// The RPC's window moves by a ledger in five seconds.
    private static let validity = Duration.seconds(60)

    init(lake: DataLake, rpc: StellarRPC, logger: Logger) {
        self.lake = lake
        self.rpc = rpc
        self.logger = logger
    }

    var endpoint: String { "\(lake.endpoint) and \(rpc.endpoint)" }
    var retriesByCause: [LedgerSourceError.Code: Int] { lake.retriesByCause.merging(rpc.retriesByCause, uniquingKeysWith: +) }
    var bytesReceived: Int { lake.bytesReceived + rpc.bytesReceived }
    var ledgersPerFile: Int { lake.ledgersPerFile }
    var requestsInFlight: Int { max(lake.requestsInFlight, rpc.requestsInFlight) }

    func requestLength(from first: UInt32, of available: Int) -> Int {
        guard let oldest = oldest.withLock({ $0?.ledger }), first < oldest else { return rpc.requestLength(from: first, of: available) }
        return lake.requestLength(from: first, of: min(available, Int(oldest - first)))
    }

    func shutdown() async {
        await lake.shutdown()
        await rpc.shutdown()
    }

    func latestLedger(near hint: UInt32?, within total: Duration?) async throws(LedgerSourceError) -> UInt32 {
        try await rpc.latestLedger(near: hint, within: total)
    }

    /// Both must be on the network.
    func requireNetwork(_ passphrase: String) async throws(LedgerSourceError) {
        try await rpc.requireNetwork(passphrase)
        try await lake.requireNetwork(passphrase)
    }

    func requireLedgers(_ needed: ClosedRange<UInt32>) async throws(LedgerSourceError) -> UInt32 {
        let border = try await border()
        guard needed.lowerBound < border else { return try await rpc.requireLedgers(needed) }
        let last = min(needed.upperBound, border - 1)
        let newest = try await lake.requireLedgers(needed.lowerBound...last)
        if last < needed.upperBound, newest < last {
            throw LedgerSourceError(
                .outsideRetention,
                "ledgers \(needed.lowerBound)-\(needed.upperBound) are needed, but \(lake.endpoint) goes up to \(newest), and \(rpc.endpoint) "
                    + "begins with \(border): use an RPC with a longer retention, or a lake that is further on", endpoint: endpoint,
                ledgers: needed)
        }
        logger.notice(
            "ledgers come from two sources",
            metadata: [
                "lake": "\(needed.lowerBound)-\(last)",
                "rpc": last < needed.upperBound ? "\(last + 1)-\(needed.upperBound)" : "none of those needed now",
            ])
        return try await rpc.latestLedger()
    }

    @discardableResult
    func forEachLedger(
        from first: UInt32, limit: Int, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws -> ChainLink {
        let border = try await border()
        let (one, other): (any LedgerSource, any LedgerSource) = first < border ? (lake, rpc) : (rpc, lake)
        let most = first < border ? min(limit, Int(border - first)) : limit
        do {
            return try await one.forEachLedger(from: first, limit: most, body)
        } catch let error as LedgerSourceError where Self.isMissing(error) {
            logger.info(
                "ledger not had, trying the other source",
                metadata: ["ledger": "\(first)", "source": "\(one.endpoint)", "cause": "\(error)"])
            do {
                return try await other.forEachLedger(from: first, limit: 1, body)
            } catch let second as LedgerSourceError where Self.isMissing(second) {
                throw error
            }
        }
    }

    /// Whether the source does not have the ledger: nothing was passed on then.
    private static func isMissing(_ error: LedgerSourceError) -> Bool {
        switch error.code {
        case .missingFile, .outsideRetention, .pastLatest: true
        default: false
        }
    }

    /// The first ledger that comes from the RPC.
    private func border() async throws(LedgerSourceError) -> UInt32 {
        if let known = oldest.withLock({ $0 }), ContinuousClock.now - known.askedAt < Self.validity { return known.ledger }
        let health = try await rpc.health()
        let first = health.oldestLedger ?? 0
        oldest.withLock { $0 = (first, .now) }
        return first
    }
}
