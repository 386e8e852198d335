import Crypto
public import StateChanges
public import StellarXDR

/// The tracked contracts of some protocols at one moment: immutable, 32 bytes a contract, named by the SHA-256 of its encoding.
///
/// Only its encoding is held, in one array that all copies, all sends and ``TrackedContracts`` share. A million contracts are 32 MB.
public struct ContractSet: Sendable, Equatable {
    /// No protocols, no contracts.
    public static let empty = ContractSet([:] as [ProtocolID: [Hash32]])

    /// SHA-256 of ``encoded``, as 64 lower-case hexadecimal digits. Equal sets have equal digests, and the reverse.
    public let digest: String

    /// The protocols, in ascending order; one without contracts is one of them, too.
    public let protocols: [ProtocolID]

    /// The set as it travels. All numbers are big-endian.
    ///
    ///     UInt32 1, the form of a whole set
    ///     UInt32 number of protocols
    ///     for each protocol, in ascending order:
    ///         UInt32 byte count of its id, the id in UTF-8, UInt64 number of its contracts
    ///     for each protocol, in the same order:
    ///         its contracts, 32 bytes each, in ascending order, each once
    public let encoded: [UInt8]

    /// Where the contracts begin in ``encoded``; from there on every 32 bytes are one.
    let idsOffset: Int

    /// For each protocol the number of pairs up to its last one.
    let ends: [Int]

    /// Takes the contracts of each protocol, 32 bytes each, one after another.
    ///
    /// - Parameter ids: in any order; a contract may stand several times, and under several protocols.
    /// - Throws: ``ContractSetError/partOfContract(_:byteCount:)`` for bytes that are no whole number of contracts.
    public init(_ ids: [ProtocolID: [UInt8]]) throws(ContractSetError) {
        var contracts: [ProtocolID: [Hash32]] = [:]
        for (id, bytes) in ids.sorted(by: { $0.key < $1.key }) {
            guard bytes.count.isMultiple(of: 32) else { throw .partOfContract(id, byteCount: bytes.count) }
            let span = unsafe bytes.span.bytes
            contracts[id] = stride(from: 0, to: bytes.count, by: 32).map { span.contract(at: $0) }
        }
        self.init(contracts)
    }

    /// Takes the contracts of each protocol, in any order; a contract may stand several times, and under several protocols.
    public init(_ contracts: [ProtocolID: [Hash32]]) {
        self.init(sections: contracts.sorted { $0.key < $1.key }.map { ($0, Self.ascending($1)) })
    }

    /// Reads a set that came from elsewhere. Every length is checked before anything is allocated for it.
    ///
    /// - Parameter bytes: what ``encoded`` describes, nothing behind it.
    /// - Throws: ``ContractSetError`` that says what is wrong where.
    public init(decoding bytes: RawSpan) throws(ContractSetError) {
        var reader = Reader()
        let layout = try reader.sections(bytes)
        encoded = [UInt8](copying: bytes)
        protocols = layout.protocols
        ends = layout.ends
        idsOffset = layout.idsOffset
        digest = Self.digest(of: encoded).hex
    }

    /// How many contracts a protocol has; 0 also for one that is not in the set.
    public func count(of id: ProtocolID) -> Int {
        protocols.firstIndex(of: id).map { range($0).count } ?? 0
    }

    /// How many pairs of protocol and contract there are.
    public var count: Int { ends.last ?? 0 }

    /// How many bytes ``encoded`` takes for so many contracts of each protocol, so that too large a set can be refused before it is made.
    /// Numbers beyond all memory give `Int.max`.
    public static func encodedByteCount(_ counts: [ProtocolID: Int]) -> Int {
        var sum = 8
        for (id, count) in counts {
            let (ids, overflow) = max(0, count).multipliedReportingOverflow(by: 32)
            let (next, pastEnd) = sum.addingReportingOverflow(ids)
            guard !overflow, !pastEnd, next < .max - 1 << 32 else { return .max }
            sum = next + 12 + id.rawValue.utf8.count
        }
        return sum
    }

    /// What is new in this set against an older one, for somebody who has that.
    ///
    ///     UInt32 2, the form of additions
    ///     32 bytes: digest of the older set
    ///     32 bytes: digest of this set
    ///     what is new, in the form of a set (see ``encoded``), of the same protocols
    ///
    /// - Returns: the wire form, for ``adding(_:)``; nil where the protocols differ or `older` has a contract that this set lacks.
    public func additions(since older: ContractSet) -> [UInt8]? {
        guard older.protocols == protocols else { return nil }
        var sections: [(ProtocolID, [Hash32])] = []
        for (index, id) in protocols.enumerated() {
            guard let new = difference(range(index), older, older.range(index)) else { return nil }
            sections.append((id, new))
        }
        guard let from = Hash32(hex: older.digest), let to = Hash32(hex: digest) else { return nil }
        var bytes: [UInt8] = []
        bytes.append(big: Self.additionsForm)
        bytes += from.bytes
        bytes += to.bytes
        bytes += Self.encode(sections)
        return bytes
    }

    /// This set and what ``additions(since:)`` found to be new in a later one.
    ///
    /// - Throws: ``ContractSetError`` for malformed bytes, for additions to another set, and where the outcome is not the set that they name.
    public func adding(_ additions: RawSpan) throws(ContractSetError) -> ContractSet {
        var reader = Reader()
        try reader.form(Self.additionsForm, additions)
        let from = try reader.digest(additions)
        let to = try reader.digest(additions)
        guard from == digest else { throw .otherBase(expected: digest, found: from) }
        let layout = try reader.sections(additions)
        guard layout.protocols == protocols else { throw .otherProtocols(expected: protocols, found: layout.protocols) }
        var sections: [(ProtocolID, [Hash32])] = []
        for (index, id) in protocols.enumerated() {
            let new = (index == 0 ? 0 : layout.ends[index - 1])..<layout.ends[index]
            sections.append((id, merged(range(index), additions, layout.idsOffset, new)))
        }
        let result = ContractSet(sections: sections)
        guard result.digest == to else { throw .otherResult(expected: to, found: result.digest) }
        return result
    }

    /// Whether both sets have the same digest.
    public static func == (left: ContractSet, right: ContractSet) -> Bool { left.digest == right.digest }
}

/// Why bytes make no set of contracts.
public enum ContractSetError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The contracts of a protocol are no whole number of 32 bytes.
    case partOfContract(ProtocolID, byteCount: Int)
    /// The bytes end too early.
    case cutOff(offset: Int, needed: UInt64, remaining: Int)
    /// The bytes begin with a number that is not that of the form that was expected.
    case form(UInt32, expected: UInt32)
    /// The id of a protocol is not UTF-8.
    case protocolID(offset: Int)
    /// A protocol or contract does not come after the one before it.
    case notAscending(offset: Int)
    /// There are bytes behind the last contract.
    case trailingBytes(Int)
    /// Additions to a set that is not this one.
    case otherBase(expected: String, found: String)
    /// Additions to the contracts of other protocols.
    case otherProtocols(expected: [ProtocolID], found: [ProtocolID])
    /// The additions do not give the set that they say they give.
    case otherResult(expected: String, found: String)

    /// What is wrong, in words.
    public var description: String {
        switch self {
        case .partOfContract(let id, let byteCount): "contracts of \(id): \(byteCount) bytes are not a multiple of 32"
        case .cutOff(let offset, let needed, let remaining):
            "contract set: \(needed) bytes expected at byte \(offset), \(remaining) left"
        case .form(let found, let expected): "contract set: form \(found) instead of \(expected)"
        case .protocolID(let offset): "contract set: the protocol id at byte \(offset) is not UTF-8"
        case .notAscending(let offset): "contract set: out of order at byte \(offset)"
        case .trailingBytes(let count): "contract set: \(count) bytes left over"
        case .otherBase(let expected, let found): "additions to contract set \(found), but the set at hand is \(expected)"
        case .otherProtocols(let expected, let found): "additions to contracts of \(Self.list(found)) instead of \(Self.list(expected))"
        case .otherResult(let expected, let found): "additions should give contract set \(expected), but give \(found)"
        }
    }

    private static func list(_ ids: [ProtocolID]) -> String { ids.map(\.rawValue).joined(separator: ", ") }
}

extension ContractSet {
    private static let wholeForm: UInt32 = 1
    private static let additionsForm: UInt32 = 2

    /// - Parameter sections: protocols ascending, and so the contracts of each, without doubles.
    private init(sections: [(ProtocolID, [Hash32])]) {
        encoded = Self.encode(sections)
        protocols = sections.map(\.0)
        var ends: [Int] = []
        for (_, contracts) in sections { ends.append((ends.last ?? 0) + contracts.count) }
        self.ends = ends
        idsOffset = encoded.count - (ends.last ?? 0) * 32
        digest = Self.digest(of: encoded).hex
    }

    /// The pairs of the protocol at an index of ``protocols``.
    private func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// The contract of a pair.
    func contract(_ pair: Int) -> Hash32 {
        unsafe encoded.span.bytes.contract(at: idsOffset + pair * 32)
    }

    private static func digest(of bytes: [UInt8]) -> Hash32 {
        var hash = SHA256()
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        let words = Array(hash.finalize())
        return unsafe Hash32(words.span.bytes, at: 0) ?? Hash32(words: (0, 0, 0, 0))
    }

    private static func ascending(_ contracts: [Hash32]) -> [Hash32] {
        var sorted = contracts
        sorted.sort()
        var kept = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[kept - 1] {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
        return sorted
    }

    private static func encode(_ sections: [(ProtocolID, [Hash32])]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(sections.reduce(8) { $0 + 12 + $1.0.rawValue.utf8.count + $1.1.count * 32 })
        bytes.append(big: wholeForm)
        bytes.append(big: UInt32(truncatingIfNeeded: sections.count))
        for (id, contracts) in sections {
            bytes.append(big: UInt32(truncatingIfNeeded: id.rawValue.utf8.count))
            bytes += id.rawValue.utf8
            bytes.append(big: UInt64(contracts.count))
        }
        for (_, contracts) in sections {
            bytes.append(addingCapacity: contracts.count * 32) { (output: inout OutputSpan<UInt8>) in
                output.append(repeating: 0, count: contracts.count * 32)
                var elements = output.mutableSpan
                var raw = unsafe elements.mutableBytes
                var at = 0
                for contract in contracts {
                    raw.storeBytes(of: contract.words.0.bigEndian, toByteOffset: at, as: UInt64.self)
                    raw.storeBytes(of: contract.words.1.bigEndian, toByteOffset: at + 8, as: UInt64.self)
                    raw.storeBytes(of: contract.words.2.bigEndian, toByteOffset: at + 16, as: UInt64.self)
                    raw.storeBytes(of: contract.words.3.bigEndian, toByteOffset: at + 24, as: UInt64.self)
                    at += 32
                }
            }
        }
        return bytes
    }

    /// What lies in a range of this set but not in one of an older set; nil where the older one has something more.
    private func difference(_ range: Range<Int>, _ older: ContractSet, _ olderRange: Range<Int>) -> [Hash32]? {
        var new: [Hash32] = []
        var known = olderRange.lowerBound
        for pair in range {
            let contract = contract(pair)
            if known < olderRange.upperBound {
                let next = older.contract(known)
                if next < contract { return nil }
                if next == contract {
                    known += 1
                    continue
                }
            }
            new.append(contract)
        }
        return known == olderRange.upperBound ? new : nil
    }

    /// What lies in a range of this set or in a range of other encoded contracts, in ascending order.
    private func merged(_ range: Range<Int>, _ bytes: RawSpan, _ idsOffset: Int, _ newRange: Range<Int>) -> [Hash32] {
        var result: [Hash32] = []
        result.reserveCapacity(range.count + newRange.count)
        var new = newRange.lowerBound
        for pair in range {
            let known = contract(pair)
            while new < newRange.upperBound {
                let next = bytes.contract(at: idsOffset + new * 32)
                guard next < known else { break }
                result.append(next)
                new += 1
            }
            result.append(known)
        }
        while new < newRange.upperBound {
            result.append(bytes.contract(at: idsOffset + new * 32))
            new += 1
        }
        return result
    }

    /// Reads what came from elsewhere, front to back.
    private struct Reader {
        var at = 0

        mutating func form(_ expected: UInt32, _ bytes: RawSpan) throws(ContractSetError) {
            let found = try UInt32(truncatingIfNeeded: number(4, bytes))
            guard found == expected else { throw .form(found, expected: expected) }
        }

        mutating func digest(_ bytes: RawSpan) throws(ContractSetError) -> String {
            try require(32, bytes)
            at += 32
            return bytes.contract(at: at - 32).hex
        }

        /// Everything up to the end.
        mutating func sections(_ bytes: RawSpan) throws(ContractSetError) -> (protocols: [ProtocolID], ends: [Int], idsOffset: Int) {
            try form(ContractSet.wholeForm, bytes)
            let protocolCount = try number(4, bytes)
            // An id of no bytes, its length and the number of contracts.
            try require(protocolCount * 12, bytes)
            var protocols: [ProtocolID] = []
            var ends: [Int] = []
            for _ in 0..<protocolCount {
                let start = at
                let id = try protocolID(bytes)
                if let last = protocols.last, last >= id { throw .notAscending(offset: start) }
                let count = try number(8, bytes)
                let known = UInt64(ends.last ?? 0)
                // So many that their bytes cannot be counted are more than are left.
                guard count <= UInt64(bytes.byteCount / 32) else {
                    throw .cutOff(offset: at, needed: count > .max / 32 ? .max : count * 32, remaining: bytes.byteCount - at)
                }
                try require((known + count) * 32, bytes)
                protocols.append(id)
                ends.append(Int(known + count))
            }
            let idsOffset = at
            try require(UInt64(ends.last ?? 0) * 32, bytes)
            var pair = 0
            for end in ends {
                var last: Hash32?
                while pair < end {
                    let contract = bytes.contract(at: idsOffset + pair * 32)
                    if let last, last >= contract { throw .notAscending(offset: idsOffset + pair * 32) }
                    last = contract
                    pair += 1
                }
            }
            at = idsOffset + pair * 32
            guard at == bytes.byteCount else { throw .trailingBytes(bytes.byteCount - at) }
            return (protocols, ends, idsOffset)
        }

        private mutating func protocolID(_ bytes: RawSpan) throws(ContractSetError) -> ProtocolID {
            let count = try number(4, bytes)
            try require(count, bytes)
            let start = at
            at += Int(count)
            guard let text = String(validating: [UInt8](copying: bytes.extracting(start..<at)), as: UTF8.self) else {
                throw .protocolID(offset: start)
            }
            return ProtocolID(rawValue: text)
        }

        /// A big-endian number of so many bytes.
        private mutating func number(_ byteCount: Int, _ bytes: RawSpan) throws(ContractSetError) -> UInt64 {
            try require(UInt64(byteCount), bytes)
            var result: UInt64 = 0
            for offset in at..<at + byteCount {
                result = unsafe result << 8 | UInt64(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            }
            at += byteCount
            return result
        }

        /// Throws unless so many bytes are left.
        private func require(_ count: UInt64, _ bytes: RawSpan) throws(ContractSetError) {
            guard count <= UInt64(bytes.byteCount - at) else { throw .cutOff(offset: at, needed: count, remaining: bytes.byteCount - at) }
        }
    }
}

extension RawSpan {
    /// The 32 bytes at an offset that lies inside. The loads are checked against the bounds, and every bit pattern is a number.
    @inline(__always)
    func contract(at offset: Int) -> Hash32 {
        unsafe Hash32(
            words: (
                UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)),
                UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)),
                UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
            ))
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger & UnsignedInteger>(big number: Number) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}
