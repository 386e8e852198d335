#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What is wrong with a JSON text, and where.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    /// The kinds of mistakes.
    package enum Reason: Hashable, Sendable {
        /// The text ends before the value does.
        case unexpectedEnd
        /// Something else was expected at this place.
        case expected(String)
        /// Arrays and objects nested deeper than is followed.
        case tooDeep
        /// A string, other than a streamed one, longer than is kept.
        case tooLong
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
        case .tooLong: "JSON at byte \(offset): a string longer than expected"
        }
    }
}

/// What becomes of a string's bytes.
package enum JSONStringUse: Sendable {
    /// Nobody wants it.
    case skip
    /// Given whole, with its escapes resolved.
    case collect
    /// Given in pieces as they come, with its escapes as they are.
    case stream
}

/// Where a `JSONStream` puts what it reads. What a sink throws ends the reading.
package protocol JSONSink {
    /// The next value is that of this member of the object at hand.
    mutating func key(_ name: String)
    /// An object, or else an array, begins.
    mutating func begin(isObject: Bool) throws
    /// The object or array at hand ends.
    mutating func end() throws
    /// A string that is a value begins.
    mutating func stringUse() throws -> JSONStringUse
    /// A string to be collected.
    mutating func string(_ text: String) throws
    /// A piece of a string to be streamed.
    mutating func piece(_ bytes: Span<UInt8>) throws
    /// The string that was streamed has ended.
    mutating func endOfPieces() throws
    /// A number, as it is written.
    mutating func number(_ text: String) throws
    /// `true`, `false` or `null`.
    mutating func literal(isNull: Bool) throws
}

/// Reads a JSON object that comes in pieces, cut anywhere, and keeps nothing but its place: a string that nobody wants is passed over by a search for its
/// closing quote.
///
/// It checks structure (brackets, commas, quotes, literals, numbers), not what is inside of strings that are skipped or streamed.
package struct JSONStream: Sendable {
    private enum State {
        case begin
        case value
        case valueOrEnd
        case keyOrEnd
        case key
        case colon
        case commaOrEnd
        case string(JSONStringUse, isKey: Bool)
        case number
        case literal([UInt8], taken: Int)
        case over
    }

    /// Deepest nesting. A response of the RPC has five levels.
    private static let deepest = 64
    private static let longestString = 1 << 16
    private static let longestNumber = 40

    private var state = State.begin
    /// Whether each of the objects and arrays at hand is an object.
    private var containers: [Bool] = []
    private var collected: [UInt8] = []
    /// Backslashes at the end of the last piece of a string.
    private var backslashes = 0
    /// Bytes of the pieces before this one.
    private var before = 0

    package init() {}

    /// Takes the next piece.
    /// - Throws: `JSONError`, or what the sink throws.
    package mutating func take(_ text: Span<UInt8>, _ sink: inout some JSONSink) throws {
        var index = 0
        while index < text.count {
            switch state {
            case .string(let use, let isKey): try takeString(text, &index, use, isKey: isKey, &sink)
            case .number: try takeNumber(text, &index, &sink)
            case .literal(let word, let taken):
                guard text[index] == word[taken] else { throw wrong(index, String(decoding: word, as: UTF8.self)) }
                index += 1
                state = .literal(word, taken: taken + 1)
                if taken + 1 == word.count {
                    endOfValue()
                    try sink.literal(isNull: word.first == UInt8(ascii: "n"))
                }
            default:
                switch text[index] {
                case 0x20, 0x0A, 0x0D, 0x09: index += 1
                default: try takeStructure(text[index], &index, &sink)
                }
            }
        }
        before += text.count
    }

    /// Nothing follows.
    /// - Throws: `JSONError` where the object has not ended.
    package func finish() throws(JSONError) {
        guard case .over = state else { throw JSONError(offset: before, reason: .unexpectedEnd) }
    }

    private mutating func takeStructure(_ byte: UInt8, _ index: inout Int, _ sink: inout some JSONSink) throws {
        switch (state, Unicode.Scalar(byte)) {
        case (.begin, "{"): try open(isObject: true, index, &sink)
        case (.keyOrEnd, "}"), (.valueOrEnd, "]"): try close(&sink)
        case (.commaOrEnd, "}") where containers.last == true: try close(&sink)
        case (.commaOrEnd, "]") where containers.last == false: try close(&sink)
        case (.commaOrEnd, ","): state = containers.last == true ? .key : .value
        case (.keyOrEnd, "\""), (.key, "\""): begin(string: .collect, isKey: true)
        case (.colon, ":"): state = .value
        case (.value, "{"), (.valueOrEnd, "{"): try open(isObject: true, index, &sink)
        case (.value, "["), (.valueOrEnd, "["): try open(isObject: false, index, &sink)
        case (.value, "\""), (.valueOrEnd, "\""): begin(string: try sink.stringUse(), isKey: false)
        case (.value, "t"), (.valueOrEnd, "t"): state = .literal(Array("true".utf8), taken: 1)
        case (.value, "f"), (.valueOrEnd, "f"): state = .literal(Array("false".utf8), taken: 1)
        case (.value, "n"), (.valueOrEnd, "n"): state = .literal(Array("null".utf8), taken: 1)
        case (.value, "-"), (.value, "0"..."9"), (.valueOrEnd, "-"), (.valueOrEnd, "0"..."9"):
            collected.removeAll(keepingCapacity: true)
            collected.append(byte)
            state = .number
        default: throw wrong(index, expectation)
        }
        index += 1
    }

    private var expectation: String {
        switch state {
        case .begin: "'{'"
        case .colon: "':'"
        case .commaOrEnd: containers.last == true ? "',' or '}'" : "',' or ']'"
        case .keyOrEnd, .key: "a string"
        case .over: "the end"
        default: "a value"
        }
    }

    private func wrong(_ index: Int, _ expected: String) -> JSONError {
        JSONError(offset: before + index, reason: .expected(expected))
    }

    private mutating func open(isObject: Bool, _ index: Int, _ sink: inout some JSONSink) throws {
        guard containers.count < Self.deepest else { throw JSONError(offset: before + index, reason: .tooDeep) }
        containers.append(isObject)
        state = isObject ? .keyOrEnd : .valueOrEnd
        try sink.begin(isObject: isObject)
    }

    private mutating func close(_ sink: inout some JSONSink) throws {
        containers.removeLast()
        endOfValue()
        try sink.end()
    }

    private mutating func endOfValue() { state = containers.isEmpty ? .over : .commaOrEnd }

    private mutating func begin(string use: JSONStringUse, isKey: Bool) {
        collected.removeAll(keepingCapacity: true)
        backslashes = 0
        state = .string(use, isKey: isKey)
    }

    private mutating func takeString(
        _ text: Span<UInt8>, _ index: inout Int, _ use: JSONStringUse, isKey: Bool, _ sink: inout some JSONSink
    ) throws {
        let start = index
        let closing = closingQuote(text, start)
        let end = closing ?? text.count
        switch use {
        case .skip: break
        case .stream: if end > start { try sink.piece(text.extracting(start..<end)) }
        case .collect:
            guard collected.count + end - start <= Self.longestString else {
                throw JSONError(offset: before + start, reason: .tooLong)
            }
            for place in start..<end { collected.append(text[place]) }
        }
        guard closing != nil else {
            let trailing = backslashesBefore(end, in: text, from: start)
            backslashes = trailing == end - start ? backslashes + trailing : trailing
            index = end
            return
        }
        index = end + 1
        endOfValue()
        switch use {
        case .skip: break
        case .stream: try sink.endOfPieces()
        case .collect:
            guard let plain = JSONText.unescaped(collected.span) else { throw wrong(start, "a string without unknown escapes") }
            let string = String(decoding: plain, as: UTF8.self)
            if isKey {
                state = .colon
                sink.key(string)
            } else {
                try sink.string(string)
            }
        }
    }

    /// Where the string at hand ends; nil where not in this text.
    private func closingQuote(_ text: Span<UInt8>, _ start: Int) -> Int? {
        var from = start
        while let quote = text.firstIndex(of: UInt8(ascii: "\""), from: from) {
            // A quote is part of the string if an odd number of backslashes stands before it.
            var count = backslashesBefore(quote, in: text, from: start)
            if count == quote - start { count += backslashes }
            if count.isMultiple(of: 2) { return quote }
            from = quote + 1
        }
        return nil
    }

    private func backslashesBefore(_ end: Int, in text: Span<UInt8>, from start: Int) -> Int {
        var count = 0
        while end - count > start, text[end - count - 1] == UInt8(ascii: "\\") { count += 1 }
        return count
    }

    private mutating func takeNumber(_ text: Span<UInt8>, _ index: inout Int, _ sink: inout some JSONSink) throws {
        while index < text.count {
            switch Unicode.Scalar(text[index]) {
            case "0"..."9", "-", "+", ".", "e", "E":
                guard collected.count < Self.longestNumber else { throw wrong(index, "a shorter number") }
                collected.append(text[index])
                index += 1
            default:
                let digits = String(decoding: collected, as: UTF8.self)
                guard Double(digits) != nil else { throw wrong(index, "a number") }
                endOfValue()
                return try sink.number(digits)
            }
        }
    }
}

/// Reading what a JSON string holds.
package enum JSONText {
    /// The bytes with the string's escapes resolved; nil if an escape is none that JSON knows. Unpaired surrogates become U+FFFD.
    package static func unescaped(_ text: Span<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard index < text.count else { return nil }
            let kind = text[index]
            index += 1
            switch Unicode.Scalar(kind) {
            case "\"", "\\", "/": bytes.append(kind)
            case "b": bytes.append(0x08)
            case "f": bytes.append(0x0C)
            case "n": bytes.append(0x0A)
            case "r": bytes.append(0x0D)
            case "t": bytes.append(0x09)
            case "u":
                guard let scalar = scalar(text, &index) else { return nil }
                bytes.append(contentsOf: String(scalar).utf8)
            default: return nil
            }
        }
        return bytes
    }

    /// The scalar of a `\u` escape whose digits start at `index`, with the second half of a surrogate pair if there is one.
    private static func scalar(_ text: Span<UInt8>, _ index: inout Int) -> Unicode.Scalar? {
        guard let first = codeUnit(text, &index) else { return nil }
        if let scalar = Unicode.Scalar(first) { return scalar }
        var after = index
        if text.count - after >= 6, text[after] == UInt8(ascii: "\\"), text[after + 1] == UInt8(ascii: "u") {
            after += 2
            if let second = codeUnit(text, &after), (0xD800...0xDBFF).contains(first), (0xDC00...0xDFFF).contains(second) {
                index = after
                return Unicode.Scalar(0x10000 + UInt32(first - 0xD800) << 10 + UInt32(second - 0xDC00))
            }
        }
        return "\u{FFFD}"
    }

    private static func codeUnit(_ text: Span<UInt8>, _ index: inout Int) -> UInt16? {
        guard text.count - index >= 4 else { return nil }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(text[index])).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
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
