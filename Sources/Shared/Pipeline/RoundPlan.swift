public import StateChanges

/// What one round has to do: the ledgers between the protocols' cursors and the target, cut where a cursor stands, so that each ledger is
/// fetched once for all the protocols that need it.
///
/// With SEP41 at 100, SEP50 at 500 and target 1000 the segments are 101-500 for SEP41 and 501-1000 for both.
public struct RoundPlan: Sendable, Hashable {
    /// A stretch in which the set of protocols is the same.
    public struct Segment: Sendable, Hashable {
        /// The ledgers of the stretch.
        public let ledgers: LedgerRange
        /// The protocols that need them, sorted.
        public let protocols: [ProtocolID]
    }

    /// In ledger order, without gaps.
    public let segments: [Segment]

    /// Plans the ledgers from each cursor + 1 to the target; a protocol at or past the target takes no part.
    public init(cursors: [ProtocolID: UInt32], target: UInt32) {
        let behind = cursors.filter { $0.value < target }
        let starts = Set(behind.values).sorted()
        segments = starts.indices.map { index in
            let last = index + 1 < starts.count ? starts[index + 1] : target
            return Segment(
                ledgers: (starts[index] + 1)...last, protocols: behind.filter { $0.value <= starts[index] }.keys.sorted())
        }
    }

    /// How many ledgers there are to fetch.
    public var ledgerCount: Int { segments.reduce(0) { $0 + $1.ledgers.count } }
}
