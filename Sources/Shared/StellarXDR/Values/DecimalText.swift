/// An integer as decimal ASCII text, held inline: up to 80 digits, which is more than 257 bits need.
///
/// The text is kept as 64-bit words whose first byte in memory order is the first digit, so that it can be written eight bytes at a time.
@frozen
public struct DecimalText: Sendable, CustomStringConvertible {
    /// The digits, eight to a word, the first in the lowest byte; bytes past ``digitCount`` have no meaning.
    public private(set) var words: InlineArray<10, UInt64>
    /// How many digits there are, at least one; no leading zeros.
    public private(set) var digitCount: Int
    /// Whether a minus sign comes before the digits.
    public let isNegative: Bool

    /// The text of an unsigned 64-bit number.
    public init(_ value: UInt64) {
        self.init(UInt128(value), isNegative: false)
    }

    /// The text of an unsigned 128-bit number.
    public init(_ value: UInt128) {
        self.init(value, isNegative: false)
    }

    /// The text of a signed 128-bit number; its lowest value has no positive counterpart and needs none here.
    public init(_ value: Int128) {
        self.init(value.magnitude, isNegative: value < 0)
    }

    /// The text of an unsigned 256-bit number.
    public init(_ value: UInt256) {
        self.init(limbs: [value.words.3, value.words.2, value.words.1, value.words.0, 0], limbCount: 4, isNegative: false)
    }

    /// The number of integers from `first` to `last`, both counted: up to 2^256, which is one more than ``UInt256`` holds. Nil if `last` is
    /// below `first`.
    public init?(countFrom first: UInt256, through last: UInt256) {
        guard let difference = last.subtracting(first) else { return nil }
        var limbs: InlineArray<5, UInt64> = [difference.words.3, difference.words.2, difference.words.1, difference.words.0, 0]
        var index = 0
        var carry = true
        while carry {  // ends: the fifth limb is 0
            (limbs[index], carry) = limbs[index].addingReportingOverflow(1)
            index += 1
        }
        self.init(limbs: limbs, limbCount: 5, isNegative: false)
    }

    /// Length of the text in bytes, the sign included.
    @inlinable
    public var utf8Count: Int { isNegative ? digitCount + 1 : digitCount }

    /// The text.
    public var description: String {
        var text = isNegative ? "-" : ""
        for index in 0..<digitCount {
            text.unicodeScalars.append(Unicode.Scalar(UInt8(truncatingIfNeeded: words[index / 8] >> (8 * (index % 8)))))
        }
        return text
    }

    private init(_ magnitude: UInt128, isNegative: Bool) {
        let low = UInt64(truncatingIfNeeded: magnitude)
        let high = UInt64(truncatingIfNeeded: magnitude >> 64)
        guard high == 0, low < Self.chunk else {
            self.init(limbs: [low, high, 0, 0, 0], limbCount: 2, isNegative: isNegative)
            return
        }
        // Nearly all amounts: no division by 10^16.
        self.init(first: Self.eightDigits(low / 100_000_000), second: Self.eightDigits(low % 100_000_000), isNegative: isNegative)
    }

    /// Sixteen digits, not ASCII yet, some of which may be leading zeros.
    private init(first: UInt64, second: UInt64, isNegative: Bool) {
        self.isNegative = isNegative
        words = InlineArray(repeating: 0)
        guard first != 0 else {
            let leadingZeros = min(second.trailingZeroBitCount / 8, 7)
            words[0] = second >> UInt64(leadingZeros * 8) | Self.ascii
            digitCount = 8 - leadingZeros
            return
        }
        let leadingZeros = first.trailingZeroBitCount / 8
        let shift = UInt64(leadingZeros * 8)
        // A shift by 64, where there are no leading zeros, gives 0.
        words[0] = first >> shift | second << (64 - shift) | Self.ascii
        words[1] = second >> shift | Self.ascii
        digitCount = 16 - leadingZeros
    }

    /// Divides by 10^16 until nothing is left, least significant limb first, and writes each remainder as two words from the back.
    private init(limbs: InlineArray<5, UInt64>, limbCount: Int, isNegative: Bool) {
        var limbs = limbs
        var top = limbCount - 1
        while top > 0, limbs[top] == 0 { top -= 1 }
        words = InlineArray(repeating: 0)
        var begin = 10
        while true {
            var remainder: UInt64 = 0
            if top == 0 {
                (limbs[0], remainder) = limbs[0].quotientAndRemainder(dividingBy: Self.chunk)
            } else {
                for index in stride(from: top, through: 0, by: -1) {
                    // The remainder is below the divisor, so the quotient fits one limb.
                    (limbs[index], remainder) = Self.chunk.dividingFullWidth((remainder, limbs[index]))
                }
                if limbs[top] == 0 { top -= 1 }
            }
            begin -= 2
            words[begin] = Self.eightDigits(remainder / 100_000_000)
            words[begin + 1] = Self.eightDigits(remainder % 100_000_000)
            if top == 0, limbs[0] == 0 { break }
        }
        self.isNegative = isNegative
        digitCount = 0
        moveToFront(from: begin)
    }

    /// Moves the digits, which end with the last word, to the front, dropping leading zeros, and turns them into ASCII.
    private mutating func moveToFront(from begin: Int) {
        var begin = begin
        while begin < 9, words[begin] == 0 { begin += 1 }
        // The most significant digit is in the lowest byte: leading zeros are trailing zero bytes. A zero keeps one digit.
        let leadingZeros = min(words[begin].trailingZeroBitCount / 8, 7)
        let shift = UInt64(leadingZeros * 8)
        digitCount = (10 - begin) * 8 - leadingZeros
        for target in 0..<10 - begin {
            let source = begin + target
            var word = words[source] >> shift
            if shift > 0, source < 9 { word |= words[source + 1] << (64 - shift) }
            words[target] = word | Self.ascii
        }
    }

    /// Two words of eight digits: what is cut off at a time.
    private static let chunk: UInt64 = 10_000_000_000_000_000

    /// What makes eight digits ASCII.
    private static let ascii: UInt64 = 0x3030_3030_3030_3030

    /// Eight decimal digits (0...9, not ASCII) of a number below 10^8, one a byte, the most significant in the lowest byte: first split into two
    /// numbers of four digits, then four of two, then eight of one, each step on all parts at once. 10486 / 2^20 and 103 / 2^10 stand for
    /// 1 / 100 and 1 / 10: exact for numbers below 10^4 and 100.
    @inline(__always)
    private static func eightDigits(_ value: UInt64) -> UInt64 {
        let fours = value / 10_000 | (value % 10_000) << 32
        let hundreds = ((fours &* 10_486) >> 20) & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- 100 &* hundreds) << 16
        let tens = ((twos &* 103) >> 10) & 0x000F_000F_000F_000F
        return tens | (twos &- 10 &* tens) << 8
    }
}
