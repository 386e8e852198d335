import Foundation
import LedgerSources
import TestSupport
import Testing

struct Base64Tests {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private func decode(_ text: [UInt8], _ decoder: Base64.Decoder) -> Result<[UInt8], Base64.Failure> {
        var output = [UInt8](repeating: 0, count: text.count)
        do {
            let count = try Base64.decode(text.span, into: &output, with: decoder)
            return .success(Array(output[..<count]))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: Base64.Decoder.allCases)
    func `decodes what Foundation encodes, at every length`(_ decoder: Base64.Decoder) {
        var random = SystemRandomNumberGenerator()
        for length in 0...300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(decode(Array(Data(bytes).base64EncodedData()), decoder) == .success(bytes))
        }
    }

    @Test(arguments: Base64.Decoder.allCases)
    func `names the position of a bad character, wherever it stands`(_ decoder: Base64.Decoder) {
        for length in [4, 8, 44, 48, 52, 140, 144, 148, 152, 300] {
            let good = (0..<length).map { Self.alphabet[$0 * 7 % 64] }
            for position in 0..<length {
                for bad in [0, 0x0A, 0x20, 0x2C, 0x2D, 0x2E, 0x3A, 0x40, 0x5B, 0x5C, 0x5F, 0x60, 0x7B, 0x7F, 0x80, 0xC1, 0xFF] as [UInt8] {
                    var text = good
                    text[position] = bad
                    let result = decode(text, decoder)
                    #expect(result == .failure(Base64.Failure(position: position)))
                }
            }
        }
    }

    @Test(arguments: Base64.Decoder.allCases)
    func `every byte value is taken or refused as the alphabet says`(_ decoder: Base64.Decoder) {
        for position in [0, 17, 33, 90, 130] {
            for byte in UInt8.min...UInt8.max {
                var text = [UInt8](repeating: UInt8(ascii: "A"), count: 200)
                text[position] = byte
                var isGood = false
                if case .success = decode(text, decoder) { isGood = true }
                #expect(isGood == Self.alphabet.contains(byte), "byte \(byte) at \(position)")
            }
        }
    }

    @Test(arguments: Base64.Decoder.allCases)
    func `lengths that are no multiple of four are refused`(_ decoder: Base64.Decoder) {
        for length in 1...200 where !length.isMultiple(of: 4) {
            let result = decode([UInt8](repeating: UInt8(ascii: "A"), count: length), decoder)
            #expect(result == .failure(Base64.Failure(position: length)))
        }
    }

    @Test(
        arguments: [
            ("QQ==", nil), ("QUI=", nil), ("QUJD", nil), ("", nil), ("QQ", 2), ("QQ=", 2), ("Q===", 1), ("====", 0), ("QR==", 1),
            ("QUJ=", 2), ("QQ=A", 2),
            ("QQ==QUJD", 2), ("QUI=QUJD", 3), ("QUJD\n", 4), (" QUJD", 0), ("QUJDQQ==", nil),
        ] as [(String, Int?)])
    func `padding is required, only at the end, and hides no bits`(_ text: String, _ badPosition: Int?) {
        for decoder in Base64.Decoder.allCases {
            switch decode(Array(text.utf8), decoder) {
            case .success(let bytes):
                #expect(badPosition == nil)
                #expect(Data(bytes) == Data(base64Encoded: text))
            case .failure(let failure): #expect(failure.position == badPosition)
            }
        }
    }

    @Test func `the decoders agree on random text with random mistakes`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...400, using: &random)
            var text = (0..<length).map { _ in Self.alphabet[Int.random(in: 0..<64, using: &random)] }
            for _ in 0..<Int.random(in: 0...2, using: &random) where length > 0 {
                text[Int.random(in: 0..<length, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let expected = decode(text, .scalar)
            #expect(decode(text, .avx2) == expected)
            #expect(decode(text, .avx512) == expected)
        }
    }

    /// The decoders for many characters at a time store more than they have decoded, but only where that is written over or belongs to the room.
    @Test(arguments: Base64.Decoder.allCases) func `nothing behind the room of the text is touched`(_ decoder: Base64.Decoder) throws {
        for length in stride(from: 0, through: 600, by: 4) {
            let text = [UInt8](repeating: UInt8(ascii: "A"), count: length)
            var output = [UInt8](repeating: 7, count: length / 4 * 3 + 64)
            #expect(try Base64.decode(text.span, into: &output, with: decoder) == length / 4 * 3)
            #expect(output == [UInt8](repeating: 0, count: length / 4 * 3) + [UInt8](repeating: 7, count: 64))
        }
    }

    @Test func `the output keeps its size and what is behind the bytes decoded`() throws {
        var output = [UInt8](repeating: 7, count: 100)
        #expect(try Base64.decode(Array("QUJD".utf8).span, into: &output) == 3)
        #expect(output == Array("ABC".utf8) + [UInt8](repeating: 7, count: 97))
    }

    /// Cut anywhere, the pieces give the same bytes, or the same mistake, as the whole.
    @Test func `text that comes in pieces is decoded as in one`() throws {
        var random = SeededRandom(seed: 5)
        let whole = Data((0..<300).map { UInt8(truncatingIfNeeded: $0 * 7) })
        for count in 0..<300 {
            var text = Array(whole.prefix(count).base64EncodedData())
            if count % 3 == 2, !text.isEmpty { text[Int.random(in: 0..<text.count, using: &random)] = UInt8(ascii: "=") }
            let expected = decode(text, .fastest)
            var stream = Base64Stream()
            var output = [UInt8](repeating: 0, count: 400)
            var written = 0
            var found: Result<[UInt8], Base64.Failure>
            do throws(Base64.Failure) {
                var index = 0
                while index < text.count {
                    let next = min(text.count, index + Int.random(in: 0...9, using: &random))
                    let piece = text.span.extracting(index..<next)
                    let room = stream.room(for: piece.count)
                    let count = try stream.decode(piece, into: &output, at: written)
                    #expect(count <= room)
                    written += count
                    index = next
                }
                try stream.finish()
                found = .success(Array(output[..<written]))
            } catch {
                found = .failure(error)
            }
            switch (found, expected) {
            case (.success(let found), .success(let expected)): #expect(found == expected)
            case (.failure, .failure): break
            default: Issue.record("\(String(decoding: text, as: UTF8.self)): \(found) instead of \(expected)")
            }
        }
    }

    @Test(arguments: ["QQ==QUJD", "QUJ", "Q", "QUI=QUI="]) func `padding ends the text, and nothing may be missing`(_ text: String) {
        for length in 1...8 {
            var stream = Base64Stream()
            var output = [UInt8](repeating: 0, count: 20)
            #expect(throws: Base64.Failure.self) {
                var written = 0
                let bytes = Array(text.utf8)
                for start in stride(from: 0, to: bytes.count, by: length) {
                    let piece = Array(bytes[start..<min(bytes.count, start + length)])
                    written += try stream.decode(piece.span, into: &output, at: written)
                }
                try stream.finish()
            }
        }
    }
}
