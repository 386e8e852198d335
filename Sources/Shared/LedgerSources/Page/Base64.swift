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
    }

    /// A character that is not base64, or a length that is no multiple of four (then `position` is the length).
    package struct Failure: Error, Equatable {
        /// Index of the character in the text.
        package let position: Int

        package init(position: Int) {
            self.position = position
        }
    }

    /// Decodes `text` into the beginning of `output`, which grows if it must, and returns the number of bytes.
    package static func decode(_ text: Span<UInt8>, into output: inout [UInt8], with decoder: Decoder = .fastest) throws(Failure) -> Int {
        let room = text.count / 4 * 3
        if output.count < room { output = [UInt8](repeating: 0, count: room) }
        // The C decoders write at most `length / 4 * 3` bytes, which is the room just made; both pointers live only for the call.
        let result = unsafe text.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { destination in
                guard let from = source.baseAddress, let to = destination.baseAddress else { return source.isEmpty ? 0 : -source.count - 1 }
                return switch decoder {
                case .fastest: unsafe cbase64_decode(from, source.count, to)
                case .avx2 where cbase64_has_avx2(): unsafe cbase64_decode_avx2(from, source.count, to)
                case .avx2, .scalar: unsafe cbase64_decode_scalar(from, source.count, to)
                }
            }
        }
        guard result >= 0 else { throw Failure(position: -result - 1) }
        return result
    }
}
