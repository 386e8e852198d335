internal import ArgumentParser

/// `ledger-simulator serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve getHealth, getLatestLedger, getNetwork and getLedgers, with the page rules and errors of the real server.",
        discussion: """
            The first line on standard output tells the address. GET /stats tells as JSON how many ledgers were served in all, how many different ones, \
            how often the one served most, in how many bytes, each fault that was served with how often, and each method that was called. POST /release \
            lets go what --hold-from keeps back; POST /hold?from=N keeps back again from ledger N on.

            Faults: 503, 504, 429 (with Retry-After: 0): HTTP statuses. -32603, -32001: JSON-RPC errors. empty-page: no ledgers. cut-body: the connection \
            closes in the middle. drop: it closes before the response. wrong-hash: the last ledger states a hash that is not its header's. broken-chain: \
            the last ledger names a predecessor that does not exist; a page of one ledger cannot have it, so the next longer page has.
            """)

    @OptionGroup var server: ServerOptions
    @Option(help: "What getNetwork says.") var networkPassphrase = SourceOptions.networkPassphrase
    @OptionGroup var source: SourceOptions
    @Option(help: "Oldest ledger that is kept; the first unless given.") var oldest: UInt32?
    @Option(help: "Oldest ledger that getHealth and getLedgers tell, although older ones are served.") var tellOldest: UInt32?
    @OptionGroup var faults: FaultOptions<PageFault>
    @Option(help: "Say -32001, as the real server after 10 s, where a page would be longer.") var maxResponseBytes: Int?

    func validate() throws {
        guard (maxResponseBytes ?? 1) > 0 else { throw ValidationError("--max-response-bytes must be positive") }
    }

    func run() async throws {
        let grows = server.closeEvery != nil
        try await server.serve { hold, delivery in
            let (supply, ledgers) = try await source.supply(growing: grows)
            if let oldest, !ledgers.contains(oldest) {
                throw SimulatorError.range("--oldest \(oldest) is not one of the ledgers \(ledgers.lowerBound)-\(ledgers.upperBound)")
            }
            if let tellOldest, !((oldest ?? ledgers.lowerBound)...ledgers.upperBound).contains(tellOldest) {
                throw SimulatorError.range("--tell-oldest \(tellOldest) is not one of the ledgers that are served")
            }
            supply.prepare(through: ledgers.upperBound)
            let limit = grows ? supply.available.upperBound : ledgers.upperBound
            let tip = LedgerTip(oldest: oldest ?? ledgers.lowerBound, announcedOldest: tellOldest, latest: ledgers.upperBound, limit: limit)
            return RPCService(
                passphrase: networkPassphrase,
                pages: LedgerPages(
                    supply: supply, tip: tip, counts: ServedCounts(first: ledgers.lowerBound), maximumBytes: maxResponseBytes),
                faults: try faults.plan(), hold: hold, delivery: delivery)
        }
    }
}
