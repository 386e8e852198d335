/// Memory that decoded ledgers are written to, one after the other: make one per worker and pass it to every page.
public struct LedgerScratch: Sendable {
    /// Grows to the largest ledger seen and stays there.
    var bytes: [UInt8] = []

    /// An empty scratch; the first ledgers size it.
    public init() {}
}
