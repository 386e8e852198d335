/// Where ledgers come from: an RPC today, a data lake of zstd objects later.
///
/// A source hands out ledgers in pages, a page being whatever it can fetch in one go; callers keep several requests in flight.
public protocol LedgerSource: Sendable {
    /// How many ledgers a page should ask for at the moment, for callers that split a range among requests. It changes with what the source learns.
    var pageLength: Int { get }

    /// Fetches ledgers `first`, `first + 1`, ..., at most `limit` of them and at least one.
    ///
    /// The page may be shorter than asked (the source's tip, its limits, its page length): ask again from `page.ledgers.upperBound + 1`.
    /// What is transient has been retried when an error comes out; cancelling the task ends the wait at once with the code `cancelled`.
    func page(from first: UInt32, limit: Int) async throws(LedgerSourceError) -> LedgerPage
}
