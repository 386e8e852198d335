/// A value for each of the two protocols.
struct PerProtocol<Value: Hashable & Sendable>: Hashable, Sendable {
    private var first: Value
    private var second: Value

    init(_ value: Value) {
        first = value
        second = value
    }

    subscript(index: Int) -> Value {
        get { index == 0 ? first : second }
        set { if index == 0 { first = newValue } else { second = newValue } }
    }
}

/// Which of the two protocols, by their numbers; one byte.
struct ProtocolSet: Hashable, Sendable, Sequence, ExpressibleByArrayLiteral {
    private(set) var bits: UInt8 = 0

    init(bits: UInt8) { self.bits = bits }
    init(arrayLiteral members: Int...) { for index in members { insert(index) } }

    var isEmpty: Bool { bits == 0 }
    /// The lowest member.
    var first: Int? { isEmpty ? nil : bits.trailingZeroBitCount }

    func contains(_ index: Int) -> Bool { bits >> UInt8(index) & 1 == 1 }
    func union(_ other: ProtocolSet) -> ProtocolSet { ProtocolSet(bits: bits | other.bits) }
    func subtracting(_ other: ProtocolSet) -> ProtocolSet { ProtocolSet(bits: bits & ~other.bits) }
    func isSubset(of other: ProtocolSet) -> Bool { bits & ~other.bits == 0 }
    func isDisjoint(with other: ProtocolSet) -> Bool { bits & other.bits == 0 }
    func members(_ isWanted: (Int) -> Bool) -> ProtocolSet {
        var wanted: ProtocolSet = []
        for index in self where isWanted(index) { wanted.insert(index) }
        return wanted
    }

    mutating func insert(_ index: Int) { bits |= 1 << UInt8(index) }
    mutating func remove(_ index: Int) { bits &= ~(1 << UInt8(index)) }
    mutating func subtract(_ other: ProtocolSet) { self = subtracting(other) }

    /// Ascending.
    func makeIterator() -> Iterator { Iterator(rest: bits) }

    struct Iterator: IteratorProtocol {
        fileprivate var rest: UInt8

        mutating func next() -> Int? {
            guard rest != 0 else { return nil }
            defer { rest &= rest - 1 }
            return rest.trailingZeroBitCount
        }
    }
}
