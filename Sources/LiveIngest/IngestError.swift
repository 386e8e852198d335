import Store

/// Why live ingestion cannot go on; what the database, the RPC or a ledger itself says comes as an error of theirs.
enum IngestError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing was ingested yet, and nobody says where to begin.
    case startLedgerNeeded(key: String)
    /// The cursors contradict each other.
    case impossiblePosition(oldestKey: String, CursorReading, latestKey: String, CursorReading)
    /// The RPC does not keep the next ledger any more.
    case ledgerGone(next: UInt32, detail: String)
    /// The RPC's ledgers do not follow the last one that was ingested.
    case brokenChain(ledger: UInt32, tries: Int)

    /// What is wrong, with the numbers, and what to do.
    var description: String {
        switch self {
        case .startLedgerNeeded(let key):
            "nothing was ingested yet (\(key) is missing or 0): give --start-ledger, the first ledger to keep"
        case .impossiblePosition(let oldestKey, let oldest, let latestKey, let latest):
            "\(oldestKey) is \(oldest) and \(latestKey) is \(latest) in ingest_store: correct them by hand"
        case .ledgerGone(let next, let detail):
            "ledger \(next) is next, but the RPC does not keep it any more (\(detail)): use an RPC that does; going on later would leave a gap"
        case .brokenChain(let ledger, let tries):
            "ledger \(ledger) does not name the hash of the ledger ingested before it, in \(tries) answers of the RPC: "
                + "it may be on a fork or on another network"
        }
    }
}
