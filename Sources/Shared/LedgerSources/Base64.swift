import CBase64

/// Strict base64 (RFC 4648 section 4: padding required, nothing but the alphabet) from a span into a reused array.
package enum Base64 {
    /// Which decoder of `CBase64` does the work.
    package enum Decoder: CaseIterable, Sendable {
        /// The fastest one for this processor.
        case fastest
        /// The portable one.
        case scalar
        /// The one for AVX2; `scalar` where the processor has none.
        case avx2
        /// The one for AVX-512; `scalar` where the processor has none.
        case avx512
    }

    /// A character that is not base64, or a length that is no multiple of four (then `position` is the length).
    package struct Failure: Error, Equatable {
        /// Index of the character in the text.
        package let position: Int

        package init(position: Int) {
            self.position = position
        }
    }

    /// Decodes `text` into `output` from `start` on, where it must have `text.count / 4 * 3` bytes, and returns the number of bytes written.
    package static func decode(
        _ text: Span<UInt8>, into output: inout [UInt8], at start: Int = 0, with decoder: Decoder = .fastest
    ) throws(Failure) -> Int {
        precondition(start >= 0 && output.count - start >= text.count / 4 * 3, "no room for the bytes")
        // The C decoders write at most `length / 4 * 3` bytes, which there is room for; both pointers live only for the call.
        let result = unsafe text.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { destination in
                guard let from = source.baseAddress, let base = destination.baseAddress else {
                    return source.isEmpty ? 0 : -source.count - 1
                }
                let to = unsafe base + start
                return switch decoder {
                case .fastest: unsafe cbase64_decode(from, source.count, to)
                case .avx2 where cbase64_has_avx2(): unsafe cbase64_decode_avx2(from, source.count, to)
                case .avx512 where cbase64_has_avx512(): unsafe cbase64_decode_avx512(from, source.count, to)
                case .avx2, .avx512, .scalar: unsafe cbase64_decode_scalar(from, source.count, to)
                }
            }
        }
        guard result >= 0 else { throw Failure(position: -result - 1) }
        return result
    }
}

/// Base64 that comes in pieces, cut anywhere: decodes each as far as it goes, and keeps up to three characters for the next.
package struct Base64Stream: Sendable {
    private var kept: [UInt8] = []
    private var isPadded = false
    /// Characters so far.
    private var length = 0

    package init() {}

    /// Most bytes that the next `count` characters can give.
    package func room(for count: Int) -> Int { (kept.count + count) / 4 * 3 }

    /// Decodes a piece into `output` from `start` on, which must have `room(for:)` bytes there.
    /// - Returns: the bytes written.
    package mutating func decode(_ text: Span<UInt8>, into output: inout [UInt8], at start: Int) throws(Base64.Failure) -> Int {
        var taken = 0
        var written = 0
        if !kept.isEmpty {
            while kept.count < 4, taken < text.count {
                kept.append(text[taken])
                taken += 1
            }
            guard kept.count == 4 else { return 0 }
            let quad = kept
            kept.removeAll(keepingCapacity: true)
            written = try decodeQuads(quad.span, into: &output, at: start)
        }
        let whole = (text.count - taken) / 4 * 4
        if whole > 0 { written += try decodeQuads(text.extracting(taken..<taken + whole), into: &output, at: start + written) }
        for index in taken + whole..<text.count { kept.append(text[index]) }
        return written
    }

    /// Nothing follows.
    package func finish() throws(Base64.Failure) {
        guard kept.isEmpty else { throw Base64.Failure(position: length + kept.count) }
    }

    private mutating func decodeQuads(_ text: Span<UInt8>, into output: inout [UInt8], at start: Int) throws(Base64.Failure) -> Int {
        // Padding ends the text: what comes after it is wrong.
        guard !isPadded else { throw Base64.Failure(position: length) }
        do {
            let count = try Base64.decode(text, into: &output, at: start)
            isPadded = text[text.count - 1] == UInt8(ascii: "=")
            length += text.count
            return count
        } catch {
            throw Base64.Failure(position: length + error.position)
        }
    }
}
