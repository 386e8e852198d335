internal import Synchronization

/// Which ledgers are closed and kept at the moment: from the oldest to a latest that may grow.
final class LedgerTip: Sendable {
    /// The oldest ledger that is kept.
    let oldest: UInt32
    /// The oldest ledger that is said to be kept; older ones may be served all the same.
    let announcedOldest: UInt32
    private let last: Mutex<UInt32>
    private let limit: UInt32

    /// - Parameter limit: the latest ledger that can ever be closed.
    init(oldest: UInt32, announcedOldest: UInt32? = nil, latest: UInt32, limit: UInt32) {
        self.oldest = oldest
        self.announcedOldest = announcedOldest ?? oldest
        self.limit = limit
        last = Mutex(latest)
    }

    /// The latest closed ledger.
    var latest: UInt32 { last.withLock { $0 } }

    /// Closes one more; nil where there is no further one.
    func close() -> UInt32? {
        last.withLock { last in
            guard last < limit else { return nil }
            last += 1
            return last
        }
    }
}
