internal import NIOCore

/// The text of a response as a list of buffers: what is particular to it is written, the base64 of shared blocks is only referred to.
struct PageText {
    /// Finished buffers, in order.
    private(set) var parts: [ByteBuffer] = []
    /// Bytes in `parts` and in the buffer under construction.
    var byteCount: Int { finishedBytes + current.readableBytes }
    private var current = ByteBuffer()
    private var finishedBytes = 0

    mutating func text(_ text: String) { current.writeString(text) }

    mutating func base64(_ bytes: [UInt8]) { Base64.encode(bytes.span, 0..<bytes.count, into: &current) }

    /// Base64 of the segments' concatenation.
    mutating func base64(_ segments: [LedgerSegment]) {
        var pending: [UInt8] = []
        for segment in segments {
            switch segment {
            case .own(let bytes): pending += bytes
            case .shared(let block) where block.bytes.count < 3 * 1024: pending += block.bytes
            case .shared(let block):
                let borrowed = (3 - pending.count % 3) % 3
                pending += block.bytes[..<borrowed]
                base64(pending)
                finishCurrent()
                append(block.base64(skipping: borrowed))
                pending = Array(block.bytes.suffix((block.bytes.count - borrowed) % 3))
            }
        }
        base64(pending)
    }

    /// All buffers; the text is complete.
    consuming func finish() -> [ByteBuffer] {
        finishCurrent()
        return parts
    }

    private mutating func finishCurrent() {
        guard current.readableBytes > 0 else { return }
        append(current)
        current = ByteBuffer()
    }

    private mutating func append(_ buffer: ByteBuffer) {
        finishedBytes += buffer.readableBytes
        parts.append(buffer)
    }
}
