/// 32 bytes: a SHA-256 hash, an Ed25519 key or a contract id. Stored inline, ordered as its bytes are.
@frozen
public struct Hash32: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The bytes as four big-endian numbers, first bytes first, so that comparing words compares bytes.
    public let words: (UInt64, UInt64, UInt64, UInt64)

    /// Makes a hash of four big-endian words, first bytes first.
    @inlinable
    public init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// The 32 bytes at an offset; nil if the span ends before them or the offset is negative.
    @inlinable
    public init?(_ bytes: RawSpan, at offset: Int) {
        guard offset >= 0, offset <= bytes.byteCount - 32 else { return nil }
        // The loads are checked against the bounds, and every bit pattern is a number.
        words =
            unsafe (
                UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)),
                UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)),
                UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
            )
    }

    /// A hash of exactly 32 bytes; nil for any other number of them.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        unsafe self.init(bytes.span.bytes, at: 0)
    }

    /// A hash written as 64 hexadecimal digits of either case; nil for anything else.
    public init?(hex: String) {
        var words: [UInt64] = []
        var word: UInt64 = 0
        var digits = 0
        for character in hex.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
            default: return nil
            }
            guard digits < 64 else { return nil }
            word = word << 4 | UInt64(digit)
            digits += 1
            if digits.isMultiple(of: 16) { words.append(word) }
        }
        guard digits == 64 else { return nil }
        self.init(words: (words[0], words[1], words[2], words[3]))
    }

    /// The 32 bytes in order.
    public var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The same as ``hex``.
    public var description: String { hex }

    /// Whether all 32 bytes are the same.
    @inlinable
    public static func == (left: Hash32, right: Hash32) -> Bool {
        left.words == right.words
    }

    /// Orders as the bytes do, from the first on.
    @inlinable
    public static func < (left: Hash32, right: Hash32) -> Bool {
        left.words < right.words
    }

    /// Feeds all four words: a key of a dictionary may come from outside.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
