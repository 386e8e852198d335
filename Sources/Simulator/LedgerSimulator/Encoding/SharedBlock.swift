internal import NIOCore
internal import Synchronization

/// Bytes that many ledgers have in common, with their base64 text kept ready.
///
/// Base64 works in groups of three bytes, so the text of a block depends on where in such a group it starts: there are
/// three texts, made when first asked for.
final class SharedBlock: Sendable {
    let bytes: [UInt8]
    private let texts = Mutex<[ByteBuffer?]>([nil, nil, nil])

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Base64 of the whole groups that follow the first `skipped` (0, 1 or 2) bytes; no padding.
    func base64(skipping skipped: Int) -> ByteBuffer {
        // A span can be taken of a local only.
        let bytes = bytes
        return texts.withLock { texts in
            if let text = texts[skipped] { return text }
            let whole = max(0, bytes.count - skipped) / 3 * 3
            var text = ByteBuffer()
            text.reserveCapacity(whole / 3 * 4)
            Base64.encode(bytes.span, skipped..<skipped + whole, into: &text)
            texts[skipped] = text
            return text
        }
    }
}

/// A stretch of a ledger's XDR: made for this ledger alone, or one of the shared blocks.
enum LedgerSegment: Sendable {
    case own([UInt8])
    case shared(SharedBlock)

    var count: Int {
        switch self {
        case .own(let bytes): bytes.count
        case .shared(let block): block.bytes.count
        }
    }
}
