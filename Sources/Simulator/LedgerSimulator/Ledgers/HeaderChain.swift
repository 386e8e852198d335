internal import Crypto
internal import Synchronization

/// The hashes of consecutive headers of which each names its predecessor's hash.
///
/// A header needs the hash before it, so hashes are made in order; they are kept (32 bytes a ledger), the headers are not.
final class HeaderChain: Sendable {
    private let first: UInt32
    private let header: @Sendable (_ sequence: UInt32, _ previous: Bytes32) -> [UInt8]
    /// Element 0 is the hash before the first header.
    private let hashes: Mutex<[Bytes32]>

    /// - Parameters:
    ///   - anchor: the hash that the first header names as its predecessor's.
    ///   - header: the XDR of a `LedgerHeader`; must depend on its arguments alone.
    init(first: UInt32, anchor: Bytes32, header: @escaping @Sendable (_ sequence: UInt32, _ previous: Bytes32) -> [UInt8]) {
        self.first = first
        self.header = header
        hashes = Mutex([anchor])
    }

    /// The hash before `sequence` and the hash of `sequence` itself.
    func link(_ sequence: UInt32) -> (previous: Bytes32, hash: Bytes32) {
        let index = Int(sequence - first)
        return hashes.withLock { hashes in
            if hashes.count < index + 2 { hashes.reserveCapacity(index + 2) }
            while hashes.count < index + 2 {
                let next = first + UInt32(hashes.count - 1)
                hashes.append(Bytes32(SHA256.hash(data: header(next, hashes[hashes.count - 1]))))
            }
            return (hashes[index], hashes[index + 1])
        }
    }
}
