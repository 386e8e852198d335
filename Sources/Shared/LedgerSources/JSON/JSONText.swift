/// Reading the strings that a `JSONScanner` found.
package enum JSONText {
    /// Whether the string in `range` is `word`. Escaped spellings of it count too.
    static func equals(_ word: String, _ range: Range<Int>, _ text: Span<UInt8>) -> Bool {
        let characters = word.utf8
        if range.count == characters.count {
            var index = range.lowerBound
            var same = true
            for character in characters {
                same = same && text[index] == character
                index += 1
            }
            if same { return true }
        }
        return range.count > characters.count && range.count <= characters.count * 6 && contains(UInt8(ascii: "\\"), range, text)
            && unescaped(range, text) == Array(characters)
    }

    /// The string in `range` with its escapes resolved; ill-formed UTF-8 and unpaired surrogates become U+FFFD.
    static func string(_ range: Range<Int>, _ text: Span<UInt8>) -> String? {
        unescaped(range, text).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of the string in `range` with its escapes resolved; nil if an escape is none that JSON knows.
    static func unescaped(_ range: Range<Int>, _ text: Span<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = text[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard index < range.upperBound else { return nil }
            let kind = text[index]
            index += 1
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(kind)
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(text, &index, range.upperBound) else { return nil }
                bytes.append(contentsOf: String(scalar).utf8)
            default: return nil
            }
        }
        return bytes
    }

    /// The scalar of a `\u` escape whose digits start at `index`, with the second half of a surrogate pair if there is one.
    private static func scalar(_ text: Span<UInt8>, _ index: inout Int, _ end: Int) -> Unicode.Scalar? {
        guard let first = codeUnit(text, &index, end) else { return nil }
        if let scalar = Unicode.Scalar(first) { return scalar }
        var after = index
        if end - after >= 6, text[after] == UInt8(ascii: "\\"), text[after + 1] == UInt8(ascii: "u") {
            after += 2
            if let second = codeUnit(text, &after, end), (0xD800...0xDBFF).contains(first), (0xDC00...0xDFFF).contains(second) {
                index = after
                return Unicode.Scalar(0x10000 + UInt32(first - 0xD800) << 10 + UInt32(second - 0xDC00))
            }
        }
        return "\u{FFFD}"
    }

    private static func codeUnit(_ text: Span<UInt8>, _ index: inout Int, _ end: Int) -> UInt16? {
        guard end - index >= 4 else { return nil }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(text[index])).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }

    private static func contains(_ byte: UInt8, _ range: Range<Int>, _ text: Span<UInt8>) -> Bool {
        text.extracting(range).firstIndex(of: byte, from: 0) != nil
    }
}
