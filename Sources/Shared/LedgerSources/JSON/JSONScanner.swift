#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What is wrong with a JSON text, and where.
package struct JSONScanError: Error, Hashable, CustomStringConvertible {
    /// The kinds of mistakes.
    package enum Reason: Hashable, Sendable {
        /// The text ends before the value does.
        case unexpectedEnd
        /// Something else was expected at this place.
        case expected(String)
        /// Arrays and objects nested deeper than the scanner follows.
        case tooDeep
    }

    /// Index of the byte.
    package let offset: Int
    /// What is wrong.
    package let reason: Reason

    package init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    /// For messages.
    package var description: String {
        switch reason {
        case .unexpectedEnd: "JSON ends in the middle, at byte \(offset)"
        case .expected(let what): "JSON at byte \(offset): expected \(what)"
        case .tooDeep: "JSON at byte \(offset): nested too deeply"
        }
    }
}

/// Walks a JSON text in place, without decoding what nobody asked for: a string is found by a search for its closing quote.
///
/// It is a position only; the text is passed to each call. It checks structure (brackets, commas, quotes, literals), not what is inside of strings
/// that are skipped.
package struct JSONScanner {
    /// Deepest nesting of a skipped value. A response of the RPC has five levels.
    private static let deepest = 64

    /// Index of the next byte.
    package private(set) var offset = 0

    package init() {}

    /// Skips white space and returns the next byte without taking it.
    private mutating func peek(_ text: Span<UInt8>) throws(JSONScanError) -> UInt8 {
        while offset < text.count {
            let byte = text[offset]
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return byte
            }
        }
        throw JSONScanError(offset: offset, reason: .unexpectedEnd)
    }

    /// Whether the next token is `byte`; takes it if so.
    package mutating func take(_ byte: Unicode.Scalar, _ text: Span<UInt8>) throws(JSONScanError) -> Bool {
        guard try peek(text) == UInt8(ascii: byte) else { return false }
        offset += 1
        return true
    }

    /// Takes the token `byte`.
    package mutating func expect(_ byte: Unicode.Scalar, _ text: Span<UInt8>) throws(JSONScanError) {
        guard try take(byte, text) else { throw JSONScanError(offset: offset, reason: .expected("'\(byte)'")) }
    }

    /// Nothing but white space may follow.
    package mutating func expectEnd(_ text: Span<UInt8>) throws(JSONScanError) {
        while offset < text.count {
            switch text[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: throw JSONScanError(offset: offset, reason: .expected("the end"))
            }
        }
    }

    /// The next member of an object whose `{` was taken: its key's range, with the scanner at its value; nil after the last one.
    package mutating func nextKey(_ text: Span<UInt8>, isFirst: inout Bool) throws(JSONScanError) -> Range<Int>? {
        if try take("}", text) { return nil }
        if !isFirst { try expect(",", text) }
        isFirst = false
        let key = try string(text)
        try expect(":", text)
        return key
    }

    /// Whether an array whose `[` was taken has another element, which the scanner is then at.
    package mutating func hasElement(_ text: Span<UInt8>, isFirst: inout Bool) throws(JSONScanError) -> Bool {
        if try take("]", text) { return false }
        if !isFirst { try expect(",", text) }
        isFirst = false
        return true
    }

    /// Takes a string and returns the range between its quotes, escapes as they are.
    package mutating func string(_ text: Span<UInt8>) throws(JSONScanError) -> Range<Int> {
        guard try peek(text) == UInt8(ascii: "\"") else { throw JSONScanError(offset: offset, reason: .expected("a string")) }
        let start = offset + 1
        var from = start
        while let quote = text.firstIndex(of: UInt8(ascii: "\""), from: from) {
            // A quote is part of the string if an odd number of backslashes stands before it.
            var backslashes = 0
            while quote - backslashes > start, text[quote - backslashes - 1] == UInt8(ascii: "\\") { backslashes += 1 }
            if backslashes.isMultiple(of: 2) {
                offset = quote + 1
                return start..<quote
            }
            from = quote + 1
        }
        throw JSONScanError(offset: text.count, reason: .unexpectedEnd)
    }

    /// Takes an integer, such as a ledger sequence or an error code.
    package mutating func integer<Value: FixedWidthInteger>(_ text: Span<UInt8>, as type: Value.Type) throws(JSONScanError) -> Value {
        let first = try peek(text)
        let start = offset
        let digits = number(text)
        guard let value = Value(String(decoding: digits, as: UTF8.self)) else {
            throw JSONScanError(
                offset: start, reason: first == UInt8(ascii: "\"") ? .expected("a number, not a string") : .expected("an integer"))
        }
        return value
    }

    /// Takes the characters that a number can have.
    private mutating func number(_ text: Span<UInt8>) -> [UInt8] {
        var digits: [UInt8] = []
        while offset < text.count, digits.count < 40 {
            switch text[offset] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"):
                digits.append(text[offset])
                offset += 1
            default: return digits
            }
        }
        return digits
    }

    /// Takes one value of any kind.
    package mutating func skipValue(_ text: Span<UInt8>, depth: Int = 0) throws(JSONScanError) {
        guard depth < Self.deepest else { throw JSONScanError(offset: offset, reason: .tooDeep) }
        var isFirst = true
        switch try peek(text) {
        case UInt8(ascii: "\""): _ = try string(text)
        case UInt8(ascii: "{"):
            offset += 1
            while try nextKey(text, isFirst: &isFirst) != nil { try skipValue(text, depth: depth + 1) }
        case UInt8(ascii: "["):
            offset += 1
            while try hasElement(text, isFirst: &isFirst) { try skipValue(text, depth: depth + 1) }
        case UInt8(ascii: "t"): try literal("true", text)
        case UInt8(ascii: "f"): try literal("false", text)
        case UInt8(ascii: "n"): try literal("null", text)
        default:
            let start = offset
            guard Double(String(decoding: number(text), as: UTF8.self)) != nil else {
                throw JSONScanError(offset: start, reason: .expected("a value"))
            }
        }
    }

    /// Takes `null` if it comes next.
    package mutating func takeNull(_ text: Span<UInt8>) throws(JSONScanError) -> Bool {
        guard try peek(text) == UInt8(ascii: "n") else { return false }
        try literal("null", text)
        return true
    }

    private mutating func literal(_ word: String, _ text: Span<UInt8>) throws(JSONScanError) {
        for byte in word.utf8 {
            guard offset < text.count else { throw JSONScanError(offset: offset, reason: .unexpectedEnd) }
            guard text[offset] == byte else { throw JSONScanError(offset: offset, reason: .expected(word)) }
            offset += 1
        }
    }
}

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

extension Span<UInt8> {
    /// Index of the first `byte` at or after `start`, nil if there is none.
    ///
    /// By `memchr`, which looks at 30 and more bytes a nanosecond where a loop looks at one or two: base64 strings are megabytes long.
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count else { return nil }
        // What `memchr` finds lies within the bytes that it was given, and no pointer leaves the closure.
        return unsafe extracting(start...).withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, let found = unsafe memchr(base, Int32(byte), bytes.count) else { return nil }
            return unsafe start + (UnsafeRawPointer(found) - UnsafeRawPointer(base))
        }
    }
}
