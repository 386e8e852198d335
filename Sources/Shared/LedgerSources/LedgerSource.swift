/// Where ledgers come from: an RPC today, a data lake of zstd objects later.
///
/// A source hands out ledgers in pages, a page being whatever it can fetch in one go; callers keep several requests in flight. It may bound the memory
/// that its pages take: a request then waits until there is room, the one for the lowest ledger first. So a caller lets go of each page without
/// waiting for another one.
public protocol LedgerSource: Sendable {
    /// How many ledgers a page should ask for at the moment, for callers that split a range among requests. It changes with what the source learns.
    var pageLength: Int { get }

    /// Fetches ledgers `first`, `first + 1`, ..., at most `limit` of them and at least one.
    ///
    /// The page may be shorter than asked (the source's tip, its limits, its page length): ask again from `page.ledgers.upperBound + 1`.
    /// What is transient has been retried when an error comes out; cancelling the task ends the wait at once with the code `cancelled`.
    func page(from first: UInt32, limit: Int) async throws(LedgerSourceError) -> LedgerPage

    /// Checks that the ledgers are those of the network with this passphrase.
    /// - Throws: `wrongNetwork` with both passphrases, or why the source could not be asked.
    func requireNetwork(_ passphrase: String) async throws(LedgerSourceError)

    /// Checks that the source has the ledgers that are needed, from the first one on. It need not have the last ones yet.
    /// - Returns: the last ledger that the source has now.
    /// - Throws: `outsideRetention` with the ledgers needed and those that the source has, or why the source could not be asked.
    @discardableResult
    func requireLedgers(_ needed: ClosedRange<UInt32>) async throws(LedgerSourceError) -> UInt32
}
