public import Protocols

/// Brings deliveries, which come in any order, into the order in which they may be committed: a batch goes when the cursor of each of its
/// protocols stands right before it. Recognises what is stale or double. A pure state machine; `Payload` is what has to be committed.
public struct CommitOrder<Payload: Sendable>: Sendable {
    /// What became of a delivery.
    public enum Acceptance: Sendable, Equatable {
        /// It is kept until its turn.
        case accepted
        /// It was there before, or is committed; the rows are equal, it may be dropped.
        case duplicate
        /// It belongs to another run or epoch, or to a worker that was given up for dead: dropped.
        case stale(String)
        /// It contradicts what is known: dropped, and the batch has to be fetched again.
        case refused(String)
    }

    /// Consecutive batches to commit in one transaction.
    public struct Group: Sendable {
        /// From the first ledger of the first batch to the last of the last.
        public let ledgers: LedgerRange
        /// The protocols whose cursors move.
        public let protocols: [ProtocolID]
        /// The batches in ledger order.
        public let members: [(header: RowsHeader, payload: Payload)]
        /// Rows of all of them.
        public var rows: Int { members.reduce(0) { $0 + $1.header.parts.reduce(0) { $0 + $1.rows } } }
    }

    /// The run that this writer belongs to.
    public let run: RunID
    /// The epoch that is under way; 0 before the first.
    public private(set) var epoch: Epoch = 0
    /// The last committed ledger of each protocol that takes part.
    public private(set) var cursors: [ProtocolID: UInt32] = [:]

    private var waiting: [UInt32: (header: RowsHeader, payload: Payload)] = [:]
    private var dead: Set<WorkerID> = []
    private var chain: [UInt32: String] = [:]

    /// An order without any epoch: everything is stale until `begin`.
    public init(run: RunID) { self.run = run }

    /// Batches that wait for an earlier one.
    public var waitingCount: Int { waiting.count }

    /// A new epoch begins at the cursors that were read from the database; what waits is void.
    public mutating func begin(epoch: Epoch, cursors: [ProtocolID: UInt32]) {
        self.epoch = epoch
        self.cursors = cursors
        waiting = [:]
        // A hash of the last committed ledger is remembered across epochs: the next epoch's first batch must continue its chain.
        chain = chain.filter { entry in cursors.values.contains(entry.key) }
    }

    /// No epoch is under way any more; what waits is void.
    public mutating func end() {
        waiting = [:]
        cursors = [:]
        epoch = 0
    }

    /// A worker was given up for dead: what it still sends is dropped; what it delivered before is whole and stays.
    public mutating func giveUp(_ worker: WorkerID) { dead.insert(worker) }

    /// A protocol takes no further part.
    public mutating func drop(_ protocolID: ProtocolID) {
        cursors[protocolID] = nil
        waiting = waiting.filter { !active($0.value.header).isEmpty }
    }

    /// Whether a delivery is of an epoch that is still to begin. A fetcher may be told of an epoch, and be done with a batch of it, before the writer
    /// has heard of it: such a delivery is to be kept by the caller, and judged when the epoch has begun.
    public func isEarly(_ header: RowsHeader) -> Bool { header.run == run && header.epoch > epoch }

    /// Judges a delivery and keeps it if it is fit.
    public mutating func accept(_ header: RowsHeader, _ payload: Payload) -> Acceptance {
        if header.run != run { return .stale("it is of run \(header.run), this is run \(run)") }
        if header.epoch != epoch { return .stale("it is of epoch \(header.epoch), this is epoch \(epoch)") }
        if dead.contains(header.worker) { return .stale("fetcher \(header.worker) was given up for dead") }
        let first = header.batch.ledgers.lowerBound
        let protocols = active(header)
        if protocols.isEmpty { return .stale("none of its protocols takes part any more") }
        if header.parts.map(\.protocolID) != header.batch.protocols {
            return .refused("its parts (\(header.parts.map(\.protocolID.rawValue))) are not the protocols of the batch")
        }
        if protocols.allSatisfy({ cursors[$0].map { $0 >= header.batch.ledgers.upperBound } ?? false }) { return .duplicate }
        if protocols.contains(where: { cursors[$0].map { $0 >= first } ?? false }) {
            return .refused("it begins at ledger \(first), but a cursor is past that: \(describeCursors(protocols))")
        }
        if let there = waiting[first] {
            return there.header.batch.ledgers == header.batch.ledgers
                ? .duplicate : .refused("another batch that begins at ledger \(first) waits already")
        }
        waiting[first] = (header, payload)
        return .accepted
    }

    /// The batches that can be committed now, joined into one transaction up to `maxRows` (a single batch may exceed it).
    /// - Returns: nil where the next batch is not there yet. The group stays until `committed` or a new epoch.
    public func nextGroup(maxRows: Int) throws(ChainBroken) -> Group? {
        guard let start = readyStart() else { return nil }
        var members: [(header: RowsHeader, payload: Payload)] = []
        var rows = 0
        var next = start
        var protocols: [ProtocolID] = []
        var hash = chain[start &- 1]
        while let member = waiting[next] {
            let active = active(member.header)
            let count = member.header.parts.reduce(0) { $0 + $1.rows }
            if !members.isEmpty, active != protocols || rows + count > maxRows { break }
            if let hash, hash != member.header.previousHash {
                // What is in front of the break can be committed; the break is met again when it comes first.
                if !members.isEmpty { break }
                throw ChainBroken(batch: member.header.batch, expected: hash, found: member.header.previousHash)
            }
            protocols = active
            members.append(member)
            rows += count
            hash = member.header.lastHash
            let last = member.header.batch.ledgers.upperBound
            if last == UInt32.max { break }
            next = last + 1
        }
        guard let last = members.last?.header.batch.ledgers.upperBound else { return nil }
        return Group(ledgers: start...last, protocols: protocols, members: members)
    }

    /// A group is committed for these of its protocols; the others take no further part.
    public mutating func committed(_ group: Group, for protocols: [ProtocolID]) {
        for member in group.members { waiting[member.header.batch.ledgers.lowerBound] = nil }
        for id in group.protocols { cursors[id] = protocols.contains(id) ? group.ledgers.upperBound : nil }
        waiting = waiting.filter { !active($0.value.header).isEmpty }
        chain = chain.filter { entry in cursors.values.contains(entry.key) }
        if let last = group.members.last { chain[group.ledgers.upperBound] = last.header.lastHash }
    }

    /// Takes a waiting batch out, so that it can come again.
    public mutating func remove(_ batch: Batch) {
        waiting[batch.ledgers.lowerBound] = nil
    }

    private func readyStart() -> UInt32? {
        waiting.values.filter { member in
            active(member.header).allSatisfy { cursors[$0] == member.header.batch.ledgers.lowerBound &- 1 }
        }.map(\.header.batch.ledgers.lowerBound).min()
    }

    private func active(_ header: RowsHeader) -> [ProtocolID] { header.batch.protocols.filter { cursors[$0] != nil } }

    private func describeCursors(_ protocols: [ProtocolID]) -> String {
        protocols.compactMap { id in cursors[id].map { "\(id.rawValue) at \($0)" } }.joined(separator: ", ")
    }
}

/// The first ledger of a batch does not name the ledger committed before it as its predecessor: one of the two is not of this network's chain.
public struct ChainBroken: Error, Sendable, Equatable, CustomStringConvertible {
    /// The batch that does not fit.
    public let batch: Batch
    /// The hash of the ledger before it, hex.
    public let expected: String
    /// The hash that its first ledger names, hex.
    public let found: String

    /// What an operator reads.
    public var description: String {
        "ledger \(batch.ledgers.lowerBound) names \(found) as its predecessor's hash, but ledger \(batch.ledgers.lowerBound &- 1) has \(expected)"
    }
}
