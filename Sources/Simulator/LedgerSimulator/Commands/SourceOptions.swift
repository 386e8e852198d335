internal import ArgumentParser

/// Where the ledgers come from: a folder, or a seed.
struct SourceOptions: ParsableArguments {
    @Option(
        help:
            "Folder with files ledger-<sequence>.xdr or .xdr.gz, one LedgerCloseMeta each; of a folder with gaps the longest run is served."
    )
    var ledgers: String?
    @Option(
        name: .customLong("repeat"), parsing: .upToNextOption,
        help: ArgumentHelp("With --ledgers: serve them over and over under new numbers, re-chained.", valueName: "first count"))
    var repeated: [UInt32] = []
    @Option(help: "Seed of ledgers that are made; everything in them follows from it.") var seed: UInt64?
    @Option(help: "First ledger.") var first: UInt32?
    @Option(help: "How many ledgers there are at the start.") var count: Int?
    @Option(help: "With --seed: contract events per ledger that may give rows.") var events = 20
    @Option(help: "With --seed: size of a ledger in bytes, about.") var ledgerBytes = 1_000_000
    @Flag(help: "With --seed: muxed accounts, claimable balances and liquidity pools occur in events too.") var rareAddresses = false

    /// Ledgers of a seed where `--count` says nothing.
    private static let defaultCount = 1000

    func validate() throws {
        guard (ledgers == nil) != (seed == nil) else { throw ValidationError("give either --ledgers or --seed") }
        guard repeated.isEmpty || repeated.count == 2 && ledgers != nil && repeated[1] > 0 else {
            throw ValidationError("--repeat takes two numbers, first and count, and needs --ledgers")
        }
        guard (count ?? 1) > 0, (first ?? 2) > 1, events >= 0, events <= 10_000, ledgerBytes >= 0, ledgerBytes <= 64 << 20 else {
            throw ValidationError("--count must be positive, --first at least 2, --events 0 to 10000, --ledger-bytes 0 to 67108864")
        }
        let made = (UInt64(first ?? 2), UInt64(count ?? (seed == nil ? 1 : Self.defaultCount)))
        let asked = repeated.count == 2 ? (UInt64(repeated[0]), UInt64(repeated[1])) : made
        guard asked.0 >= 1, asked.0 + asked.1 - 1 <= UInt64(LedgerNumbers.last) else {
            throw ValidationError("ledger numbers go from 1 to \(LedgerNumbers.last)")
        }
    }

    /// What a seed stands for.
    func plan() throws -> LedgerPlan {
        guard let seed else { throw ValidationError("--seed is needed here") }
        return LedgerPlan(seed: seed, first: first ?? 2, eventsPerLedger: events, ledgerBytes: ledgerBytes, rareAddresses: rareAddresses)
    }

    /// The numbers of a seed's ledgers.
    func madeLedgers() throws -> ClosedRange<UInt32> {
        let first = try plan().first
        return first...(first + UInt32(count ?? Self.defaultCount) - 1)
    }

    /// The ledgers, and which of them there are at the start.
    /// - Parameter growing: whether ledgers close later: a folder then keeps those beyond `--count` in store.
    func supply(growing: Bool) async throws -> (any LedgerSupply, ClosedRange<UInt32>) {
        guard let ledgers else { return (GeneratedLedgers(try plan()), try madeLedgers()) }
        let folder = try LedgerFolder(path: ledgers)
        let run = try folder.run(first: first, count: count)
        let whole = growing && repeated.isEmpty ? try folder.run(first: run.lowerBound, count: nil) : run
        let loaded = try await folder.load(whole)
        guard repeated.count == 2 else { return (FolderLedgers(whole, loaded), run) }
        return (RepeatedLedgers(loaded, from: repeated[0]), repeated[0]...(repeated[0] + repeated[1] - 1))
    }
}
