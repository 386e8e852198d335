public import Protocols

/// The keys of the cursors in `ingest_store`.
public struct CursorNames: Sendable, Hashable {
    /// The first ledger that live ingestion keeps.
    public let oldest: String
    /// The last ledger that live ingestion has committed.
    public let latest: String

    /// The names that live ingestion uses unless it was told otherwise.
    public init(oldest: String = "oldest_ingest_ledger", latest: String = "latest_ingest_ledger") {
        self.oldest = oldest
        self.latest = latest
    }

    /// The key of a protocol's history cursor: the last ledger whose state changes of that protocol are in the database.
    public static func history(_ id: ProtocolID) -> String { id.historyCursorKey }
}
