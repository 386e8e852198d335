internal import NIOCore

/// Base64 (RFC 4648, with padding), twelve bits at a time.
enum Base64 {
    /// The two characters of every 12-bit value.
    private static let pairs: [UInt16] = {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return (0..<4096).map { UInt16(alphabet[$0 >> 6]) << 8 | UInt16(alphabet[$0 & 63]) }
    }()

    /// Appends the encoding of the bytes in `range`; with a length that is no multiple of three it ends in padding.
    static func encode(_ bytes: Span<UInt8>, _ range: Range<Int>, into buffer: inout ByteBuffer) {
        let source = bytes.extracting(range)
        let pairs = pairs.span
        buffer.writeWithOutputRawSpan(minimumWritableBytes: (source.count + 2) / 3 * 4) { output in
            var index = 0
            while index + 3 <= source.count {
                let bits = Int(source[index]) << 16 | Int(source[index + 1]) << 8 | Int(source[index + 2])
                let text = UInt32(pairs[bits >> 12]) << 16 | UInt32(pairs[bits & 4095])
                output.append(text.bigEndian, as: UInt32.self)
                index += 3
            }
            let left = source.count - index
            guard left > 0 else { return }
            let bits = Int(source[index]) << 16 | (left == 2 ? Int(source[index + 1]) << 8 : 0)
            let padding = left == 2 ? UInt32(UInt8(ascii: "=")) : UInt32(UInt8(ascii: "=")) << 8 | UInt32(UInt8(ascii: "="))
            let kept: UInt32 = left == 2 ? 0xFFFF_FF00 : 0xFFFF_0000
            let text = UInt32(pairs[bits >> 12]) << 16 | UInt32(pairs[bits & 4095])
            output.append((text & kept | padding).bigEndian, as: UInt32.self)
        }
    }
}
