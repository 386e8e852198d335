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
    @Option(help: "With --seed: another number of events from a ledger on; FROM:EVENTS, comma-separated or repeated.")
    var eventsFrom: [SizeChanges] = []
    @Option(help: "With --seed: another size from a ledger on; FROM:BYTES, comma-separated or repeated.")
    var ledgerBytesFrom: [SizeChanges] = []
    @Option(help: "The ledger that is a LedgerCloseMeta of a version that nobody knows; its header and hash are right.")
    var unknownVersion: UInt32?
    @Option(
        help: "With --seed: the ledger in which the first transaction with events has a TransactionMeta of a version that nobody knows."
    )
    var unknownTransactionVersion: UInt32?
    @Flag(help: "With --seed: muxed accounts, claimable balances and liquidity pools occur in events too.") var rareAddresses = false

    /// The network where `--network-passphrase` says nothing.
    static let networkPassphrase = "Standalone Network ; February 2017"
    /// Ledgers of a seed where `--count` says nothing.
    private static let defaultCount = 1000

    func validate() throws {
        guard (ledgers == nil) != (seed == nil) else { throw ValidationError("give either --ledgers or --seed") }
        guard repeated.isEmpty || repeated.count == 2 && ledgers != nil && repeated[1] > 0 else {
            throw ValidationError("--repeat takes two numbers, first and count, and needs --ledgers")
        }
        guard seed != nil || eventsFrom.isEmpty && ledgerBytesFrom.isEmpty && unknownTransactionVersion == nil else {
            throw ValidationError("--events-from, --ledger-bytes-from and --unknown-transaction-version need --seed")
        }
        let eventCounts = [events] + eventsFrom.flatMap(\.changes.values)
        let sizes = [ledgerBytes] + ledgerBytesFrom.flatMap(\.changes.values)
        guard (count ?? 1) > 0, (first ?? 2) > 1, eventCounts.allSatisfy({ (0...10_000).contains($0) }),
            sizes.allSatisfy({ (0...(64 << 20)).contains($0) })
        else {
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
        return LedgerPlan(
            seed: seed, first: first ?? 2, eventsPerLedger: events, ledgerBytes: ledgerBytes, eventChanges: SizeChanges.joined(eventsFrom),
            byteChanges: SizeChanges.joined(ledgerBytesFrom), rareAddresses: rareAddresses,
            unknownTransactionVersion: unknownTransactionVersion)
    }

    /// The numbers of a seed's ledgers.
    func madeLedgers() throws -> ClosedRange<UInt32> {
        let first = try plan().first
        return first...(first + UInt32(count ?? Self.defaultCount) - 1)
    }

    /// The ledgers, and which of them there are at the start.
    /// - Parameter growing: whether ledgers close later: a folder then keeps those beyond `--count` in store.
    func supply(growing: Bool) async throws -> (any LedgerSupply, ClosedRange<UInt32>) {
        let (supply, range) = try await plainSupply(growing: growing)
        guard let unknownVersion else { return (supply, range) }
        return (LedgersWithUnknownVersion(ledgers: supply, unknown: unknownVersion), range)
    }

    private func plainSupply(growing: Bool) async throws -> (any LedgerSupply, ClosedRange<UInt32>) {
        guard let ledgers else { return (GeneratedLedgers(try plan()), try madeLedgers()) }
        let folder = try LedgerFolder(path: ledgers)
        let run = try folder.run(first: first, count: count)
        let whole = growing && repeated.isEmpty ? try folder.run(first: run.lowerBound, count: nil) : run
        let loaded = try await folder.load(whole)
        guard repeated.count == 2 else { return (FolderLedgers(whole, loaded), run) }
        return (RepeatedLedgers(loaded, from: repeated[0]), repeated[0]...(repeated[0] + repeated[1] - 1))
    }
}

/// Sizes from ledgers on: `1500:600` or `1500:600,2000:0`.
struct SizeChanges: ExpressibleByArgument {
    let changes: [UInt32: Int]

    init?(argument: String) {
        var changes: [UInt32: Int] = [:]
        for change in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = change.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let from = UInt32(parts[0]), let size = Int(parts[1]) else { return nil }
            changes[from] = size
        }
        self.changes = changes
    }

    /// All of a repeated option; of two for the same ledger the last.
    static func joined(_ options: [SizeChanges]) -> [UInt32: Int] {
        options.reduce(into: [:]) { $0.merge($1.changes) { $1 } }
    }
}
