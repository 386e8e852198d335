/// Values by ledger, in the order of the ledgers.
///
/// Finding is a binary search among bare numbers. Adding and removing move some of those numbers in memory: 4 bytes each, a few microseconds where there
/// are tens of thousands, and mostly none, for ledgers come at the end and go at the front. The values themselves never move.
public struct LedgerMap<Value> {
    /// The front part, up to `head`, is removed already.
    private var keys: [UInt32] = []
    private var head = 0
    private var values: [UInt32: Value] = [:]

    /// An empty map.
    public init() {}

    /// How many ledgers have a value.
    public var count: Int { values.count }
    /// Whether no ledger has a value.
    public var isEmpty: Bool { values.isEmpty }
    /// The ledgers that have a value, ascending.
    public var ledgers: ArraySlice<UInt32> { keys[head...] }
    /// The lowest ledger that has a value.
    public var first: UInt32? { head < keys.count ? keys[head] : nil }
    /// The highest ledger that has a value.
    public var last: UInt32? { head < keys.count ? keys.last : nil }

    /// The value of a ledger; setting nil takes it out.
    public subscript(ledger: UInt32) -> Value? {
        get { values[ledger] }
        _modify {
            let was = values[ledger] != nil
            defer {
                let has = values[ledger] != nil
                if has != was { has ? insert(ledger) : remove(ledger) }
            }
            yield &values[ledger]
        }
    }

    /// The value of a ledger, which gets one where it has none.
    public subscript(ledger: UInt32, default value: @autoclosure () -> Value) -> Value {
        get { values[ledger] ?? value() }
        _modify {
            if values[ledger] == nil { insert(ledger) }
            yield &values[ledger, default: value()]
        }
    }

    /// The highest ledger with a value that is not above this one.
    public func last(notAbove ledger: UInt32) -> UInt32? {
        let position = ledger == .max ? keys.count : self.position(ledger + 1)
        return position > head ? keys[position - 1] : nil
    }

    /// The lowest ledger with a value that is not below this one.
    public func first(notBelow ledger: UInt32) -> UInt32? {
        let position = self.position(ledger)
        return position < keys.count ? keys[position] : nil
    }

    /// Of ranges that do not overlap each other and are kept by their first ledger: the first ledgers of those that share a ledger with this one.
    public func overlapping(_ range: LedgerRange, _ rangeOf: (Value) -> LedgerRange) -> [UInt32] {
        var found: [UInt32] = []
        var position = range.upperBound == .max ? keys.count : self.position(range.upperBound + 1)
        while position > head, let value = values[keys[position - 1]], rangeOf(value).upperBound >= range.lowerBound {
            position -= 1
            found.append(keys[position])
        }
        return found.reversed()
    }

    /// Takes out everything.
    public mutating func removeAll() { self = LedgerMap() }

    /// Where the ledger is, or would be.
    private func position(_ ledger: UInt32) -> Int {
        var low = head
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < ledger { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(_ ledger: UInt32) { keys.insert(ledger, at: position(ledger)) }

    private mutating func remove(_ ledger: UInt32) {
        let position = position(ledger)
        guard position == head else {
            keys.remove(at: position)
            return
        }
        head += 1
        // The removed front is given back when it is the larger half: each number is moved once for each time that it was added.
        if head * 2 >= keys.count {
            keys.removeFirst(head)
            head = 0
        }
    }
}

extension LedgerMap: Sendable where Value: Sendable {}

extension LedgerMap: Equatable where Value: Equatable {
    /// Whether the same ledgers have the same values.
    public static func == (left: LedgerMap, right: LedgerMap) -> Bool { left.values == right.values }
}

extension LedgerMap: Hashable where Value: Hashable {
    /// Hashes ledgers and values.
    public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}
