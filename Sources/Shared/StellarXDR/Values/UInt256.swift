/// An unsigned 256-bit number: as much of one as token ids need.
@frozen
public struct UInt256: Hashable, Comparable, Sendable {
    /// Four 64-bit words, most significant first.
    public let words: (UInt64, UInt64, UInt64, UInt64)

    /// Makes a number of four 64-bit words, most significant first.
    @inlinable
    public init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// Widens a 128-bit number.
    @inlinable
    public init(_ value: UInt128) {
        words = (0, 0, UInt64(truncatingIfNeeded: value >> 64), UInt64(truncatingIfNeeded: value))
    }

    /// The biggest number, 2^256 - 1.
    public static let max = UInt256(words: (.max, .max, .max, .max))

    /// The difference; nil if it would be negative.
    public func subtracting(_ other: UInt256) -> UInt256? {
        var borrow = false
        func word(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let (difference, first) = left.subtractingReportingOverflow(right)
            let (result, second) = difference.subtractingReportingOverflow(borrow ? 1 : 0)
            borrow = first || second
            return result
        }
        let low = word(words.3, other.words.3)
        let third = word(words.2, other.words.2)
        let second = word(words.1, other.words.1)
        let high = word(words.0, other.words.0)
        return borrow ? nil : UInt256(words: (high, second, third, low))
    }

    /// Whether both are the same number.
    @inlinable
    public static func == (left: UInt256, right: UInt256) -> Bool { left.words == right.words }

    /// Whether the left number is the smaller one.
    @inlinable
    public static func < (left: UInt256, right: UInt256) -> Bool { left.words < right.words }

    /// Feeds all four words.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
