import Coordinator
import StateChanges
import Store

/// What is committed, and who holds which lock.
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
    /// `oldest_ingest_ledger`.
    var oldest: UInt8
    /// The history cursors; 0: there is no row.
    var cursors = PerProtocol<UInt8>(0)
    /// Two bits per ledger, from the first on.
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
    mutating func store(_ index: Int, _ ledgers: ClosedRange<UInt8>, contracts: UInt8, first: UInt8) {
        for ledger in ledgers where ledger >= first {
            let shift = 2 * (ledger - first)
            let now: Stored
            switch Stored(rawValue: stored[index] >> shift & 3) ?? .twice {
            case .nothing: now = contracts >= ledger ? .complete : .contractMissed
            case .complete, .contractMissed, .twice: now = .twice
            }
            stored[index] = stored[index] & ~(3 << shift) | now.rawValue << shift
        }
    }

    /// Whether rows of one of these ledgers are there: their primary keys refuse them a second time.
    func holdsAny(_ index: Int, _ ledgers: ClosedRange<UInt8>, first: UInt8) -> Bool {
        ledgers.contains { $0 >= first && stored[index] >> (2 * ($0 - first)) & 3 != 0 }
    }

    /// Whether every ledger from the oldest up to a cursor is there once and complete, those below it so or not at all, and none past the cursor.
    func isWhole(_ index: Int, through cursor: UInt8, first: UInt8) -> Bool {
        let ledgers = cursor >= first ? cursor - first + 1 : 0
        let whole = 0x55 & UInt8(truncatingIfNeeded: (1 << (2 * UInt16(ledgers))) - 1)
        let kept = ~UInt8(truncatingIfNeeded: (1 << (2 * UInt16(oldest - first))) - 1)
        return stored[index] & kept == whole & kept && stored[index] & ~whole == 0
    }

    /// Where a cursor is created, and the lowest place where it is of use.
    var beforeOldest: UInt8 { oldest - 1 }

    func reading(_ index: Int) -> CursorReading { cursors[index] == 0 ? .missing : .ledger(UInt32(cursors[index])) }
}

/// The protocols of the model.
enum ModelProtocols {
    static let ids: [ProtocolID] = ["SEP41", "SEP50"]

    static func index(_ id: ProtocolID) -> Int { id == ids[0] ? 0 : 1 }
    static func set(_ ids: some Sequence<ProtocolID>) -> ProtocolSet {
        var set: ProtocolSet = []
        for id in ids { set.insert(index(id)) }
        return set
    }
    static func names(_ set: ProtocolSet) -> String { set.isEmpty ? "none" : set.map { ids[$0].rawValue }.joined(separator: " and ") }
}
