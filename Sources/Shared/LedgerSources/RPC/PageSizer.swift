/// Chooses how many ledgers to ask for at once: pages of about the same number of bytes, shorter where the server does not manage them in time.
///
/// A page's length is the target size divided by the bytes per ledger, at most double the length of a page that came, and never above the ceiling.
/// The bytes per ledger are the most seen in the last few pages: ledgers that grow are noticed with the first page that has them. The ceiling is the
/// server's limit; a time-out halves it, and eight pages in a row at the ceiling raise it by a quarter.
public struct PageSizer: Sendable, Hashable {
    /// Response bytes that a page should have.
    public let targetBytes: Int
    /// Most ledgers that the server takes in one request; lowered when it says so.
    public private(set) var maximum: Int
    /// Ledgers to ask for in the next request.
    public private(set) var length: Int

    /// Most ledgers that the server has been found to manage in time.
    private var ceiling: Int
    /// Response bytes per ledger of the last pages, the newest last.
    private var recent: [Int] = []
    /// Pages in a row that came in time with at least `ceiling` ledgers.
    private var pagesAtCeiling = 0

    /// Response bytes of a ledger before any was seen: base64 of the 1.06 MB of a pubnet ledger.
    private static let guessedBytesPerLedger = 1_410_000
    private static let pagesBeforeRaise = 8
    private static let pagesRemembered = 8

    /// - Parameters:
    ///   - targetBytes: response bytes per page. 20 MB are about fourteen pubnet ledgers: long enough that a request's own cost hardly counts, which is
    ///     three quarters of a ledger's; short enough for the server, which makes a page as a whole.
    ///   - maximum: stellar-rpc takes at most 200 unless configured otherwise.
    public init(targetBytes: Int = 20_000_000, maximum: Int = 200) {
        self.targetBytes = max(1, targetBytes)
        self.maximum = max(1, maximum)
        self.ceiling = self.maximum
        self.length = min(self.maximum, max(1, self.targetBytes / Self.guessedBytesPerLedger))
    }

    /// How many of so many ledgers the next request should be for: about `length`, in even shares, so that none is left with a few that take a round trip
    /// of their own.
    public func share(of available: Int) -> Int {
        let requests = max(1, (available + length / 2) / length, (available + ceiling - 1) / ceiling)
        return max(1, (available + requests - 1) / requests)
    }

    /// Response bytes that a ledger is expected to take.
    public var bytesPerLedger: Int { max(1, recent.max() ?? Self.guessedBytesPerLedger) }

    /// A page of `ledgers` ledgers came in time, `bytes` long.
    public mutating func received(ledgers: Int, bytes: Int) {
        guard ledgers > 0, bytes >= 0 else { return }
        remember(bytes, ledgers)
        if ceiling < maximum, ledgers >= ceiling {
            pagesAtCeiling += 1
            if pagesAtCeiling == Self.pagesBeforeRaise {
                pagesAtCeiling = 0
                ceiling = min(maximum, ceiling + max(1, ceiling / 4))
            }
        }
        // Several pages in flight that were asked for at one length prove no more than one of them does.
        choose(atMost: max(length, 2 * min(ledgers, maximum)))
    }

    /// A request for `ledgers` ledgers did not come in time. Several requests in flight that fail together halve the ceiling once, as each
    /// tells what it had asked for.
    public mutating func timedOut(asked ledgers: Int) {
        ceiling = max(1, min(ceiling, ledgers / 2))
        pagesAtCeiling = 0
        length = min(length, ceiling)
    }

    /// The server said that it takes at most `limit` ledgers.
    public mutating func learned(maximum limit: Int) {
        maximum = max(1, min(maximum, limit))
        ceiling = min(ceiling, maximum)
        length = min(length, ceiling)
    }

    private mutating func remember(_ bytes: Int, _ ledgers: Int) {
        if recent.count == Self.pagesRemembered { recent.removeFirst() }
        // Rounded up, so that the page itself would fit.
        recent.append(bytes / ledgers + (bytes.isMultiple(of: ledgers) ? 0 : 1))
    }

    private mutating func choose(atMost longest: Int) {
        length = max(1, min(targetBytes / bytesPerLedger, ceiling, longest))
    }
}
