internal import Crypto
public import StellarXDR

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

/// Checks ledgers that a source gives, one after the other: each is the one expected, unchanged, and follows the one before.
package struct LedgerChain: Sendable {
    /// What was checked so far; nil before the first ledger.
    package private(set) var link: ChainLink?
    private let endpoint: String

    package init(endpoint: String) {
        self.endpoint = endpoint
    }

    /// Takes the next ledger.
    /// - Parameters:
    ///   - xdr: a `LedgerCloseMeta`; only its header is read, more may follow it.
    ///   - stated: the hash that the source states beside the ledger, if it does.
    /// - Throws: `badLedger`, `unknownVersion`, `wrongSequence`, `wrongHash` or `brokenChain`, with the ledger; the chain is then as before.
    package mutating func take(_ sequence: UInt32, _ xdr: RawSpan, stated: Hash32? = nil) throws(LedgerSourceError) {
        let header: LedgerHeader
        do {
            header = try LedgerReader.readHeader(xdr)
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
        // Some 500 bytes of a megabyte: the copy that keeps this free of pointers costs nothing that can be measured.
        guard Hash32(Array(SHA256.hash(data: [UInt8](copying: xdr.extracting(header.headerRange))))) == hash else {
            throw failure(.wrongHash, sequence, "it claims the hash \(hash.hex), which is not the SHA-256 of its header")
        }
        if let stated, stated != hash {
            throw failure(.wrongHash, sequence, "the response states the hash \(stated.hex), but its header has \(hash.hex)")
        }
        let next = ChainLink(ledgers: sequence...sequence, previousHash: header.previousLedgerHash, hash: hash)
        guard let link else { return self.link = next }
        guard let joined = link.joined(with: next) else {
            throw failure(
                .brokenChain, sequence,
                "it names \(header.previousLedgerHash.hex) as its predecessor, but ledger \(sequence - 1) has \(link.hash.hex)")
        }
        self.link = joined
    }

    private func failure(_ code: LedgerSourceError.Code, _ sequence: UInt32, _ detail: String) -> LedgerSourceError {
        LedgerSourceError(code, detail, endpoint: endpoint, ledgers: sequence...sequence)
    }
}
