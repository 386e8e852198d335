/// A ledger whose header has been checked: its sequence, its hash, and the chain to the ledger before it in its page.
public struct CheckedLedger: Sendable {
    /// The ledger's number.
    public let sequence: UInt32
    /// `LedgerCloseMeta`, as XDR.
    public let xdr: [UInt8]
}
