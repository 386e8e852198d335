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
    /// Deepest nesting of a skipped value. An answer of the RPC has five levels.
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
