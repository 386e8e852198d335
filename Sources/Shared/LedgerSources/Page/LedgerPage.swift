internal import Crypto
package import NIOCore
public import StellarXDR
internal import Synchronization

/// A run of consecutive ledgers as a source served them: the bytes of one response, kept as they came, and where each ledger is in them.
///
/// Nothing is decoded before `forEachLedger`. A page takes part of the memory that its source may use for responses, until the last reference to it
/// goes: let go of a page without waiting for another one, or the source may wait for the memory for ever.
public final class LedgerPage: Sendable {
    /// How the ledgers stand in the page's bytes.
    package enum Encoding: Sendable {
        /// Base64 text, as in JSON.
        case base64
        /// Plain XDR, as in a data lake's object.
        case xdr
    }

    /// One ledger of a page.
    package struct Slot: Sendable {
        /// Where its `LedgerCloseMeta` is, in the page's encoding.
        package var range: Range<Int>
        /// The hash that the source states beside the ledger, if it does.
        package var hash: Hash32?

        package init(range: Range<Int>, hash: Hash32? = nil) {
            self.range = range
            self.hash = hash
        }
    }

    /// Sequences of the ledgers in the page.
    public let ledgers: ClosedRange<UInt32>
    /// Size of the page in bytes, as received.
    public let byteCount: Int

    private let endpoint: String
    private let encoding: Encoding
    private let slots: [Slot]
    /// The page's alone, so that it can be used again afterwards; moved out only by `deinit`.
    private let bytes: Mutex<ByteBuffer>
    private let room: ResponseRoom?

    /// `slots` are the ledgers `first`, `first + 1`, ..., with ranges inside of `bytes`; nil if there are none, or ranges or sequences do not fit.
    package init?(
        from endpoint: String, first: UInt32, slots: [Slot], in bytes: ByteBuffer, encoding: Encoding, room: ResponseRoom? = nil
    ) {
        guard !slots.isEmpty, slots.count - 1 <= Int(UInt32.max - first) else { return nil }
        guard slots.allSatisfy({ $0.range.lowerBound >= 0 && $0.range.upperBound <= bytes.readableBytes }) else { return nil }
        self.ledgers = first...(first + UInt32(slots.count - 1))
        self.endpoint = endpoint
        self.encoding = encoding
        self.slots = slots
        self.byteCount = bytes.readableBytes
        self.bytes = Mutex(bytes)
        self.room = room
    }

    deinit {
        guard let room else { return }
        bytes.withLock { room.giveBack(&$0) }
    }

    /// The response that the page came in.
    package func withResponse<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
        let bytes = bytes.withLock { $0 }
        return try body(bytes.readableBytesUInt8Span)
    }

    /// Calls `body` with each ledger's sequence and its `LedgerCloseMeta` XDR, in order, and returns the ends of the page's hash chain.
    ///
    /// Before `body` sees a ledger, its header has been checked: the sequence is the one expected, the hash is the SHA-256 of the header and the one
    /// stated beside it, and from the second ledger on `previousLedgerHash` is the hash of the ledger before. The span is valid during the call only.
    /// - Parameter scratch: where base64 is decoded to; reuse it.
    /// - Throws: `LedgerSourceError` with the ledger that is wrong; what `body` throws, as it is.
    @discardableResult
    public func forEachLedger(scratch: inout LedgerScratch, _ body: (UInt32, RawSpan) throws -> Void) throws -> ChainLink {
        let bytes = bytes.withLock { $0 }
        var link: ChainLink?
        // `Span.bytes` is marked unsafe for elements that have padding; bytes have none.
        for (index, slot) in slots.enumerated() {
            let sequence = ledgers.lowerBound + UInt32(index)
            switch encoding {
            case .base64:
                let count = try decode(bytes.readableBytesUInt8Span.extracting(slot.range), sequence, &scratch)
                let xdr = scratch.bytes.span.extracting(0..<count)
                link = try checked(sequence, slot, xdr, after: link)
                try body(sequence, unsafe xdr.bytes)
            case .xdr:
                let xdr = bytes.readableBytesUInt8Span.extracting(slot.range)
                link = try checked(sequence, slot, xdr, after: link)
                try body(sequence, unsafe xdr.bytes)
            }
        }
        guard let link else { throw failure(.emptyPage, ledgers.lowerBound, "the page holds no ledger") }
        return link
    }

    /// The ledgers with bytes of their own, for whoever keeps them longer than a walk through the page; checked as `forEachLedger` does.
    /// - Throws: `LedgerSourceError` with the ledger that is wrong.
    public func copyLedgers() throws -> (ledgers: [CheckedLedger], link: ChainLink) {
        var copies: [CheckedLedger] = []
        copies.reserveCapacity(slots.count)
        var scratch = LedgerScratch()
        let link = try forEachLedger(scratch: &scratch) { copies.append(CheckedLedger(sequence: $0, xdr: [UInt8](copying: $1))) }
        return (copies, link)
    }

    private func decode(_ text: Span<UInt8>, _ sequence: UInt32, _ scratch: inout LedgerScratch) throws(LedgerSourceError) -> Int {
        do {
            return try Base64.decode(text, into: &scratch.bytes)
        } catch {
            let what =
                error.position == text.count ? "its length \(text.count) is no multiple of four" : "character \(error.position) is wrong"
            guard error.position < text.count, text[error.position] == UInt8(ascii: "\\") else {
                throw failure(.badBase64, sequence, "its XDR is not base64: \(what)")
            }
            // Some JSON writers escape '/', '+' or '='. The RPC does not, a gateway before it may.
            guard let plain = JSONText.unescaped(0..<text.count, text), let count = try? Base64.decode(plain.span, into: &scratch.bytes)
            else {
                throw failure(.badBase64, sequence, "its XDR is not base64: \(what)")
            }
            return count
        }
    }

    /// The checks of one ledger's header, and the chain up to and with this ledger.
    private func checked(_ sequence: UInt32, _ slot: Slot, _ xdr: Span<UInt8>, after link: ChainLink?) throws(LedgerSourceError)
        -> ChainLink
    {
        let header: LedgerHeader
        do {
            header = try LedgerReader.readHeader(unsafe xdr.bytes)
        } catch {
            // A number that no version will have for years is damage.
            if case .unsupportedVersion(let version) = error.reason, (0..<256).contains(version) {
                throw failure(.unknownVersion, sequence, "this build does not know its version, a newer one may: \(error)")
            }
            throw failure(.badLedger, sequence, "its header is no XDR that we can read: \(error)")
        }
        guard header.sequence == sequence else {
            throw failure(.wrongSequence, sequence, "its header says that it is ledger \(header.sequence)")
        }
        let hash = header.hash
        let digest = Self.sha256(xdr.extracting(header.headerRange))
        guard Hash32(digest) == hash else {
            throw failure(.wrongHash, sequence, "it claims the hash \(hash.hex), which is not the SHA-256 of its header")
        }
        if let stated = slot.hash, stated != hash {
            throw failure(.wrongHash, sequence, "the response states the hash \(stated.hex), but its header has \(hash.hex)")
        }
        guard let link else {
            return ChainLink(ledgers: sequence...sequence, previousHash: header.previousLedgerHash, hash: hash)
        }
        guard let joined = link.joined(with: ChainLink(ledgers: sequence...sequence, previousHash: header.previousLedgerHash, hash: hash))
        else {
            throw failure(
                .brokenChain, sequence,
                "it names \(header.previousLedgerHash.hex) as its predecessor, but ledger \(sequence - 1) has \(link.hash.hex)")
        }
        return joined
    }

    private func failure(_ code: LedgerSourceError.Code, _ sequence: UInt32, _ detail: String) -> LedgerSourceError {
        LedgerSourceError(code, detail, endpoint: endpoint, ledgers: sequence...sequence)
    }

    /// A header is some 500 bytes of a megabyte, so the copy that keeps this free of pointers costs nothing that can be measured.
    private static func sha256(_ header: Span<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: header.indices.map { header[$0] }))
    }
}

/// A ledger whose header has been checked: its sequence, its hash, and the chain to the ledger before it in its page.
public struct CheckedLedger: Sendable {
    /// The ledger's number.
    public let sequence: UInt32
    /// `LedgerCloseMeta`, as XDR.
    public let xdr: [UInt8]
}

/// Memory that decoded ledgers are written to, one after the other: make one per worker and pass it to every page.
public struct LedgerScratch: Sendable {
    /// Grows to the largest ledger seen and stays there.
    var bytes: [UInt8] = []

    /// An empty scratch; the first ledgers size it.
    public init() {}
}

/// The two ends of a run of ledgers whose hash chain has been checked: what the next and the previous run are held against.
public struct ChainLink: Sendable, Hashable {
    /// Sequences of the first and the last ledger of the run.
    public var ledgers: ClosedRange<UInt32>
    /// `previousLedgerHash` of the first ledger.
    public var previousHash: Hash32
    /// Hash of the last ledger.
    public var hash: Hash32

    /// A run whose inner chain the caller has checked.
    public init(ledgers: ClosedRange<UInt32>, previousHash: Hash32, hash: Hash32) {
        self.ledgers = ledgers
        self.previousHash = previousHash
        self.hash = hash
    }

    /// Whether `next` begins with the ledger after this run and names this run's last hash as its predecessor's.
    public func isFollowed(by next: ChainLink) -> Bool {
        ledgers.upperBound < .max && next.ledgers.lowerBound == ledgers.upperBound + 1 && next.previousHash == hash
    }

    /// The two runs as one; nil if `next` does not follow.
    public func joined(with next: ChainLink) -> ChainLink? {
        guard isFollowed(by: next) else { return nil }
        return ChainLink(ledgers: ledgers.lowerBound...next.ledgers.upperBound, previousHash: previousHash, hash: next.hash)
    }
}
