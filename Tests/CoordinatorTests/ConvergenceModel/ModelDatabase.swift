/// What is committed. Everything in here is one byte wide, and so is everything else in a state: it is hashed and compared as bytes.
struct ModelDatabase: Hashable, Sendable {
    enum Status: UInt8, Hashable, Sendable { case notStarted, inProgress, success, failed }

    /// What was stored of one ledger of one protocol.
    enum Stored: UInt8, Hashable, Sendable {
        case nothing
        /// Once, by somebody who knew every contract that was deployed up to that ledger.
        case complete
        /// Once, by somebody who did not.
        case contractMissed
        case twice
    }

    /// `latest_ingest_ledger`.
    var latest: UInt8
    /// The history cursors; 0: there is no row.
    var cursors = PerProtocol<UInt8>(0)
    /// Two bits per ledger, from the oldest on.
    var stored = PerProtocol<UInt8>(0)
    /// Cursors and rows as they are on the disk; only where the server may crash.
    var cursorsOnDisk = PerProtocol<UInt8>(0)
    var storedOnDisk = PerProtocol<UInt8>(0)
    /// `history_migration_status`.
    var statuses = PerProtocol(Status.notStarted)

    /// What is committed is on the disk.
    mutating func flush() {
        cursorsOnDisk = cursors
        storedOnDisk = stored
    }

    /// What is not on the disk is lost.
    mutating func loseWhatIsNotOnTheDisk() {
        cursors = cursorsOnDisk
        stored = storedOnDisk
    }

    /// Stores ledgers of a protocol.
    ///
    /// A contract is taken to be deployed in every ledger, for every protocol. Nothing ever decides by the contracts, so the reachable states are
    /// the same for any deployments; and where some of them are missed, one of these is.
    /// - Parameter contracts: the ledger up to which the contracts are known.
    mutating func store(_ index: Int, _ ledgers: ClosedRange<UInt8>, contracts: UInt8, oldest: UInt8) {
        for ledger in ledgers where ledger >= oldest {
            let shift = 2 * (ledger - oldest)
            let now: Stored
            switch Stored(rawValue: stored[index] >> shift & 3) ?? .twice {
            case .nothing: now = contracts >= ledger ? .complete : .contractMissed
            case .complete, .contractMissed, .twice: now = .twice
            }
            stored[index] = stored[index] & ~(3 << shift) | now.rawValue << shift
        }
    }
}
