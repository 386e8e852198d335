public import StateChanges

/// Brings parts, which come in any order, into the order in which they may be committed: a part goes when it begins at the next ledger of the protocols
/// that are furthest behind. A pure state machine of one writer; `Payload` is what has to be committed.
///
/// The cursors here run ahead of the database by the group under way: what is judged while it commits is judged as if it had succeeded, for if it does
/// not, the round is over and everything here is void.
public struct ReorderBuffer<Payload: Sendable>: Sendable {
    /// A part with what has to be committed.
    public struct Part: Sendable {
        /// What is in it.
        public let header: PartHeader
        /// What has to be committed.
        public let payload: Payload

        /// A part.
        public init(header: PartHeader, payload: Payload) {
            self.header = header
            self.payload = payload
        }
    }

    /// Consecutive parts to commit in one transaction.
    public struct Group: Sendable {
        /// The round that its parts are of.
        public var round: RoundNumber { parts.first?.header.round ?? 0 }
        /// From the first ledger of the first part to the last of the last.
        public let ledgers: LedgerRange
        /// The protocols whose cursors move, sorted.
        public let protocols: [ProtocolID]
        /// The parts in ledger order.
        public let parts: [Part]
        /// Bytes of all of them.
        public let bytes: Int
    }

    /// What can be done with a part.
    public enum Judgement: Sendable, Hashable {
        /// It may be kept until its turn.
        case fits
        /// These very ledgers are here already, or committed; the rows are equal.
        case known
        /// None of its protocols takes part any more.
        case unwanted
        /// It shares some, not all, of its ledgers with what is here or committed.
        case overlapping(String)
        /// It contradicts itself or the round.
        case faulty(String)
    }

    /// The last ledger of each protocol that takes part, the group under way included.
    public private(set) var cursors: [ProtocolID: UInt32] = [:]
    /// Bytes of the parts that are here, the group under way included.
    public private(set) var bytes = 0
    private var parts = LedgerMap<Part>()
    private var underWay: Group?
    /// Header hashes of ledgers at which a cursor stands or may come to stand: the part after such a ledger must continue its chain.
    private var chain: [UInt32: String] = [:]

    /// A buffer without a round.
    public init() {}

    /// Parts that wait for an earlier one.
    public var count: Int { parts.count }

    /// What is here, the group under way included.
    public var load: ReorderLoad {
        let waiting = parts.ledgers.reduce(0) { $0 + (parts[$1]?.header.ledgers.count ?? 0) }
        return ReorderLoad(ledgers: waiting + (underWay?.ledgers.count ?? 0), bytes: bytes)
    }

    /// The next ledger to be committed after the group under way; nil where no protocol takes part.
    public var next: UInt32? { cursors.values.min().flatMap { $0 == .max ? nil : $0 + 1 } }

    /// A new round begins at the cursors that were read from the database; what is here is void. The hashes of ledgers at which cursors stand are kept
    /// from round to round.
    public mutating func begin(cursors: [ProtocolID: UInt32]) {
        end()
        self.cursors = cursors
        chain = chain.filter { entry in cursors.values.contains(entry.key) }
    }

    /// No round is under way any more; what is here is void.
    public mutating func end() {
        parts.removeAll()
        underWay = nil
        cursors = [:]
        bytes = 0
    }

    /// A protocol takes no further part.
    public mutating func drop(_ protocolID: ProtocolID) {
        cursors[protocolID] = nil
        removeUnwanted()
    }

    /// Says what can be done with a part, without doing it.
    public func judge(_ header: PartHeader) -> Judgement {
        if let fault = header.fault { return .faulty(fault) }
        let first = header.ledgers.lowerBound
        let last = header.ledgers.upperBound
        let active = active(header)
        if active.isEmpty { return .unwanted }
        let standing = active.compactMap { cursors[$0] }
        if standing.allSatisfy({ $0 >= last }) { return .known }
        if standing.contains(where: { $0 >= first }) {
            return .overlapping("it begins at ledger \(first), but a cursor is past that: \(describeCursors(active))")
        }
        let missing = cursors.filter { $0.value < last && !header.protocols.contains($0.key) }.keys.sorted()
        guard missing.isEmpty else { return .faulty("its ledgers are needed for \(describeCursors(missing)) as well") }
        let there = parts.overlapping(header.ledgers, \.header.ledgers)
        guard let other = there.first.flatMap({ parts[$0]?.header }) else { return .fits }
        if other.describesSameRows(as: header) { return .known }
        // What comes next is never refused for the sake of what cannot come yet.
        if first == next, other.ledgers.lowerBound != first { return .fits }
        return .overlapping(
            "ledgers \(other.ledgers.lowerBound) to \(other.ledgers.upperBound) of fetcher \(other.worker) are here already")
    }

    /// Keeps a part that `judge` found to fit.
    /// - Returns: parts that had to make room: they overlap with this one, which comes next.
    public mutating func insert(_ header: PartHeader, _ payload: Payload) -> [PartHeader] {
        var displaced: [PartHeader] = []
        for first in parts.overlapping(header.ledgers, \.header.ledgers) {
            if let part = remove(first) { displaced.append(part.header) }
        }
        parts[header.ledgers.lowerBound] = Part(header: header, payload: payload)
        bytes += header.bytes
        return displaced
    }

    /// Takes what can be committed now, joined up to `maxRows` and `maxBytes` (a single part may exceed them). At most one group is under way at a time.
    ///
    /// - Returns: nil where the next part is not here, or a group is under way.
    /// - Throws: `UnfitPart` where the next part does not continue the hash chain; it is taken out.
    public mutating func startCommit(maxRows: Int, maxBytes: Int) throws(UnfitPart) -> Group? {
        guard underWay == nil, let start = next, let front = parts[start] else { return nil }
        let protocols = active(front.header)
        var members: [Part] = []
        var rows = 0
        var groupBytes = 0
        var hash = chain[start - 1]
        var position: UInt32? = start
        while let ledger = position, let part = parts[ledger] {
            let header = part.header
            let count = header.rowCount
            // Not `rows + count`: a single part may hold any number.
            if !members.isEmpty, active(header) != protocols || count > maxRows - rows || header.bytes > maxBytes - groupBytes { break }
            if let hash, hash != header.previousHash {
                // What is in front of the break can be committed; the break is met again when it comes first.
                guard members.isEmpty else { break }
                remove(ledger)
                throw UnfitPart(
                    header: header,
                    reason: "ledger \(ledger) names \(header.previousHash) as its predecessor's hash, but ledger \(ledger - 1) has \(hash)")
            }
            members.append(part)
            rows += count
            groupBytes += header.bytes
            hash = header.lastHash
            position = header.ledgers.upperBound == .max ? nil : header.ledgers.upperBound + 1
        }
        guard let last = members.last else { return nil }
        for member in members { parts[member.header.ledgers.lowerBound] = nil }
        let end = last.header.ledgers.upperBound
        for id in protocols { cursors[id] = end }
        chain[end] = last.header.lastHash
        let group = Group(ledgers: start...end, protocols: protocols, parts: members, bytes: groupBytes)
        underWay = group
        return group
    }

    /// The group under way is committed for these of its protocols; the others take no further part.
    public mutating func committed(_ swapped: Set<ProtocolID>) {
        guard let group = underWay else { return }
        underWay = nil
        bytes -= group.bytes
        let refused = group.protocols.filter { !swapped.contains($0) }
        for id in refused { cursors[id] = nil }
        if !refused.isEmpty { removeUnwanted() }
        chain = chain.filter { entry in cursors.values.contains(entry.key) }
    }

    @discardableResult
    private mutating func remove(_ first: UInt32) -> Part? {
        guard let part = parts[first] else { return nil }
        parts[first] = nil
        bytes -= part.header.bytes
        return part
    }

    private mutating func removeUnwanted() {
        for first in parts.ledgers {
            if let part = parts[first], active(part.header).isEmpty { remove(first) }
        }
    }

    private func active(_ header: PartHeader) -> [ProtocolID] { header.protocols.filter { cursors[$0] != nil } }

    private func describeCursors(_ protocols: [ProtocolID]) -> String {
        protocols.compactMap { id in cursors[id].map { "\(id.rawValue) at \($0)" } }.joined(separator: ", ")
    }
}

extension ReorderBuffer: Equatable where Payload: Equatable {}
extension ReorderBuffer: Hashable where Payload: Hashable {}
extension ReorderBuffer.Part: Equatable where Payload: Equatable {}
extension ReorderBuffer.Part: Hashable where Payload: Hashable {}
extension ReorderBuffer.Group: Equatable where Payload: Equatable {}
extension ReorderBuffer.Group: Hashable where Payload: Hashable {}

/// A part that cannot be committed: a fetcher has to bring its ledgers again.
public struct UnfitPart: Error, Sendable, Hashable, CustomStringConvertible {
    /// The part.
    public let header: PartHeader
    /// What is wrong with it.
    public let reason: String

    /// A part and what is wrong with it.
    public init(header: PartHeader, reason: String) {
        self.header = header
        self.reason = reason
    }

    /// What an operator reads.
    public var description: String { reason }
}

extension PartHeader {
    /// What no part may claim, for nothing could hold it: 1 GiB.
    public static let mostBytes = 1 << 30

    /// How many rows all protocols have together; a sum that does not fit counts as the largest number.
    public var rowCount: Int { rows.reduce(0) { $0.addingReportingOverflow($1.count).overflow ? .max : $0 + $1.count } }

    /// Why the header describes no part that can be, nil where it is sound.
    public var fault: String? {
        if ledgers.lowerBound == 0 || ledgers.upperBound > Int32.max {
            return "ledgers \(ledgers.lowerBound) to \(ledgers.upperBound) cannot be"
        }
        if !(0...Self.mostBytes).contains(bytes) { return "\(bytes) bytes cannot be" }
        if rows.contains(where: { $0.frames.contains { $0 < 0 } }) { return "a negative number of rows cannot be" }
        if rows.isEmpty || zip(rows, rows.dropFirst()).contains(where: { $0.protocolID >= $1.protocolID }) {
            return "its protocols (\(protocols.map(\.rawValue).joined(separator: ", "))) are not some, each once, in order"
        }
        return nil
    }

    /// Whether the rows must be the same: which rows a ledger gives depends on nothing but the ledger and the round's contracts.
    func describesSameRows(as other: PartHeader) -> Bool {
        round == other.round && ledgers == other.ledgers && protocols == other.protocols && previousHash == other.previousHash
            && lastHash == other.lastHash && bytes == other.bytes && rows.map(\.count) == other.rows.map(\.count)
    }
}
