import Foundation
import LedgerSources
import TestSupport
import Testing

/// Writes down what a `JSONStream` reads.
private struct Transcript: JSONSink {
    var words: [String] = []
    var pieces: [UInt8] = []
    private var name = ""

    mutating func key(_ name: String) {
        self.name = name
        words.append("key \(name)")
    }
    mutating func begin(isObject: Bool) { words.append(isObject ? "{" : "[") }
    mutating func end() { words.append("end") }
    mutating func stringUse() -> JSONStringUse { name == "streamed" ? .stream : name == "skipped" ? .skip : .collect }
    mutating func string(_ text: String) { words.append("string \(text)") }
    mutating func piece(_ bytes: Span<UInt8>) { for index in bytes.indices { pieces.append(bytes[index]) } }
    mutating func endOfPieces() {
        words.append("streamed \(String(decoding: pieces, as: UTF8.self))")
        pieces = []
    }
    mutating func number(_ text: String) { words.append("number \(text)") }
    mutating func literal(isNull: Bool) { words.append(isNull ? "null" : "literal") }
}

struct JSONStreamTests {
    /// What is read from a text that comes in pieces which end at these places.
    private func read(_ text: [UInt8], cutAt cuts: [Int] = []) -> Result<[String], JSONError> {
        var stream = JSONStream()
        var transcript = Transcript()
        do {
            var start = 0
            for end in cuts.filter({ $0 <= text.count }).sorted() + [text.count] {
                try stream.take(text.span.extracting(start..<end), &transcript)
                start = end
            }
            try stream.finish()
            return .success(transcript.words)
        } catch {
            return .failure(error as? JSONError ?? JSONError(offset: -1, reason: .expected("\(error)")))
        }
    }

    private static let text = Array(
        #" { "a" :[1,-2.5e+3 ,true, false,null,"x\"]}\\"],"streamed":"QU\/J\"D","skipped":"\\\\","é\u00e9\ud83d\ude00\ud83d":{},"b":[[],{"c":"\n"}]} "#
            .utf8)
    private static let words = [
        "{", "key a", "[", "number 1", "number -2.5e+3", "literal", "literal", "null", "string x\"]}\\", "end", "key streamed",
        #"streamed QU\/J\"D"#, "key skipped", "key éé😀\u{FFFD}", "{", "end", "key b", "[", "[", "end", "{", "key c", "string \n", "end",
        "end", "end",
    ]

    @Test func `reads a text in one piece, byte by byte, and cut in two anywhere`() {
        #expect(read(Self.text) == .success(Self.words))
        #expect(read(Self.text, cutAt: Array(0...Self.text.count)) == .success(Self.words))
        for cut in 0...Self.text.count { #expect(read(Self.text, cutAt: [cut]) == .success(Self.words), "cut at \(cut)") }
    }

    @Test func `a text cut anywhere has not ended`() {
        for length in 0..<Self.text.count - 1 {
            guard case .failure(let error) = read(Array(Self.text.prefix(length))) else {
                Issue.record("\(length) bytes were taken for the whole")
                continue
            }
            #expect(error == JSONError(offset: length, reason: .unexpectedEnd))
        }
    }

    @Test(
        arguments: [
            ("[]", 0), ("null", 0), (#"{]"#, 1), (#"{"a":[}"#, 6), (#"{"a":{]"#, 6), (#"{"a":1,}"#, 7), (#"{"a":[,"#, 6),
            (#"{"a":[1,]}"#, 8),
            (#"{"a" 1}"#, 5), (#"{"a":tru}"#, 8), (#"{"a":-}"#, 6), (#"{"a":1.2.3}"#, 10), (#"{"a":01x}"#, 7), (#"{"a":"\x"}"#, 6),
            (#"{"a":1} x"#, 8), (#"{"a":1}{"#, 7), (#"{"a":+1}"#, 5), (#"{1:2}"#, 1), (#"{"a":[1 2]}"#, 8), (#"{"a":1;"b":2}"#, 6),
            ("{\"a\":" + String(repeating: "1", count: 60) + "}", 45),
        ] as [(String, Int)])
    func `names the byte where the text is wrong, however it is cut`(_ text: String, _ offset: Int) {
        let bytes = Array(text.utf8)
        for cuts in [[], Array(0...bytes.count)] {
            guard case .failure(let error) = read(bytes, cutAt: cuts) else {
                Issue.record("\(text) was taken")
                continue
            }
            if !text.contains("\\") { #expect(error.offset == offset, "\(error)") }
            #expect(error.reason != .unexpectedEnd)
        }
    }

    @Test func `deep nesting and endless strings are refused, not kept`() {
        let deep = Array((#"{"x":"# + String(repeating: "[", count: 1_000_000)).utf8)
        guard case .failure(let error) = read(deep) else { Issue.record("taken"); return }
        #expect(error.reason == .tooDeep)
        for text in [#"{"x":""#, #"{""#] {
            let long = Array((text + String(repeating: "y", count: 100_000)).utf8)
            guard case .failure(let error) = read(long, cutAt: Array(stride(from: 0, to: long.count, by: 1000))) else {
                Issue.record("taken")
                return
            }
            #expect(error.reason == .tooLong)
        }
    }

    @Test(arguments: 0..<20) func `random changes give the same in one piece as in many`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let interesting = Array(#"{}[]",:\0tfnu-e. "#.utf8)
        for _ in 0..<1_000 {
            var bytes = Self.text
            for _ in 0...Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[at] = interesting[Int.random(in: 0..<interesting.count, using: &random)]
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
                case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 30)], at: at)
                default: bytes.removeLast(bytes.count - at)
                }
            }
            let whole = read(bytes)
            let pieces = read(bytes, cutAt: (0..<8).map { _ in Int.random(in: 0...bytes.count, using: &random) })
            switch (whole, pieces) {
            case (.success(let whole), .success(let pieces)): #expect(whole == pieces)
            case (.failure(let whole), .failure(let pieces)):
                #expect((whole.reason == .unexpectedEnd) == (pieces.reason == .unexpectedEnd), "\(whole), \(pieces)")
            default: Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(whole) in one piece, \(pieces) in many")
            }
        }
    }
}
