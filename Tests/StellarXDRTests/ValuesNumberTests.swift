import StellarXDR
import Testing

@Suite struct ValuesNumberTests {
    @Test func decimalTextOfUInt64() {
        var values: [UInt64] = [0, 1, .max, .max - 1]
        var power: UInt64 = 1
        for _ in 0..<19 {
            power *= 10
            values += [power - 1, power, power + 1]
        }
        for value in values { expect(DecimalText(value), "\(value)") }
    }

    @Test func decimalTextOf128Bits() {
        var values: [UInt128] = [0, .max]
        var power: UInt128 = 1
        for _ in 0..<38 {
            power *= 10
            values += [power - 1, power, power + 1, UInt128.max / power]
        }
        for bit in 0..<128 { values += [1 << UInt128(bit), UInt128.max >> UInt128(bit)] }
        for value in values {
            expect(DecimalText(value), "\(value)")
            let signed = Int128(truncatingIfNeeded: value)
            expect(DecimalText(signed), "\(signed)")
        }
    }

    /// Against multiplication: the digits, read back, must give the number.
    @Test func decimalTextOf256Bits() {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<2000 {
            func word(_ index: Int) -> UInt64 {
                if round % 5 > index { return 0 }
                return Self.word(using: &generator)
            }
            let number = UInt256(words: (word(0), word(1), word(2), word(3)))
            let text = DecimalText(number).description
            #expect(text == "0" || !text.hasPrefix("0"))
            #expect(Self.words(text) == Self.words(number))
        }
    }

    @Test func countsOfRanges() {
        var generator = SystemRandomNumberGenerator()
        func number() -> UInt256 {
            func word() -> UInt64 { Self.word(using: &generator) }
            return UInt256(words: (word(), word(), word(), word()))
        }
        for _ in 0..<2000 {
            let (one, two) = (number(), number())
            let (low, high) = (min(one, two), max(one, two))
            guard let count = DecimalText(countFrom: low, through: high) else { Issue.record("\(low) to \(high)"); continue }
            // low + count - 1 = high
            var words = Self.words(count.description)
            Self.add(Self.words(low), to: &words)
            var wanted = Self.words(high)
            Self.add([0, 0, 0, 0, 1], to: &wanted)
            #expect(words == wanted)
            if low != high { #expect(DecimalText(countFrom: high, through: low) == nil) }
        }
        let zero = UInt256(0)
        #expect(DecimalText(countFrom: zero, through: zero)?.description == "1")
        #expect(
            DecimalText(countFrom: zero, through: .max)?.description
                == "115792089237316195423570985008687907853269984665640564039457584007913129639936")
        #expect(DecimalText(countFrom: UInt256(1), through: zero) == nil)
    }

    @Test func hashesReadAndOrderAsTheirBytes() throws {
        let bytes = (0..<32).map { UInt8($0 * 8) }
        let hash = try #require(Hash32(bytes))
        #expect(hash.bytes == bytes)
        #expect(hash.hex == "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8")
        #expect(hash.description == hash.hex)
        #expect(Hash32(hex: hash.hex) == hash)
        #expect(Hash32(hex: hash.hex.uppercased()) == hash)
        #expect(Hash32(hex: String(hash.hex.dropLast())) == nil)
        #expect(Hash32(hex: hash.hex + "0") == nil)
        #expect(Hash32(hex: "g" + hash.hex.dropFirst()) == nil)
        #expect(Hash32(hex: "") == nil)
        let padded = [1] + bytes + [2]
        #expect(Hash32(padded.span.bytes, at: 1) == hash)
        for offset in [-1, 3, 100, .max, .min] { #expect(Hash32(padded.span.bytes, at: offset) == nil) }
        #expect(Hash32(Array(bytes.dropLast())) == nil)
        for index in 0..<32 {
            var higher = bytes
            higher[index] += 1
            let other = try #require(Hash32(higher))
            #expect(hash < other)
            #expect(!(other < hash))
            #expect(hash != other)
        }
    }

    private func expect(_ decimal: DecimalText, _ text: String) {
        #expect(decimal.description == text)
        #expect(decimal.utf8Count == text.utf8.count)
    }

    /// A random word, often an extreme one.
    private static func word(using generator: inout SystemRandomNumberGenerator) -> UInt64 {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: 0
        case 1: UInt64.max
        default: UInt64.random(in: UInt64.min...UInt64.max, using: &generator)
        }
    }

    /// A number as five 64-bit words, most significant first.
    private static func words(_ number: UInt256) -> [UInt64] {
        let words: [UInt64] = [0, number.words.0, number.words.1, number.words.2, number.words.3]
        return words
    }

    /// Decimal digits as five 64-bit words, most significant first.
    private static func words(_ text: String) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: 5)
        for digit in text.utf8 {
            var carry = UInt64(digit - UInt8(ascii: "0"))
            for index in words.indices.reversed() {
                let (high, low) = words[index].multipliedFullWidth(by: 10)
                let (sum, overflow) = low.addingReportingOverflow(carry)
                words[index] = sum
                carry = high + (overflow ? 1 : 0)
            }
        }
        return words
    }

    private static func add(_ other: [UInt64], to words: inout [UInt64]) {
        var carry: UInt64 = 0
        for index in words.indices.reversed() {
            let (partial, first) = words[index].addingReportingOverflow(other[index])
            let (sum, second) = partial.addingReportingOverflow(carry)
            words[index] = sum
            carry = (first ? 1 : 0) + (second ? 1 : 0)
        }
    }
}
