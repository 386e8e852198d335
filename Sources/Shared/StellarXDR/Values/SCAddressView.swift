/// An address in the form in which `state_changes` holds it: the strkey's version byte and the first 32 bytes of its payload.
///
/// For accounts, contracts and liquidity pools these are the whole key. A muxed account is its base account, so that whoever looks the account up
/// finds it. A claimable balance, whose payload starts with a type byte, loses the last byte of its hash: the database has no room for it.
@frozen
public struct SCAddressView: Hashable, Sendable {
    /// What an address names; the raw value is the strkey's version byte (SEP-23).
    @frozen
    public enum Kind: UInt8, Sendable {
        /// A claimable balance, `B...`
        case claimableBalance = 0x08
        /// A contract, `C...`
        case contract = 0x10
        /// An account, `G...`
        case account = 0x30
        /// A liquidity pool, `L...`
        case liquidityPool = 0x58
    }

    /// What the address names.
    public let kind: Kind
    /// The first 32 bytes of the strkey's payload.
    public let key: Hash32

    /// Makes an address of its kind and the first 32 bytes of its strkey's payload.
    @inlinable
    public init(kind: Kind, key: Hash32) {
        self.kind = kind
        self.key = key
    }

    /// Reads an `SCAddress`; nil for bytes that no reader accepted.
    @inline(__always)
    init?(loading bytes: RawSpan, at offset: Int) {
        guard let discriminant = bytes.number32(at: offset) else { return nil }
        let found: (Kind, Hash32?)
        switch discriminant {
        case 0:  // AccountID: the discriminant of PublicKey, then the Ed25519 key
            found = (.account, Hash32(bytes, at: offset + 8))
        case 1:  // ContractID
            found = (.contract, Hash32(bytes, at: offset + 4))
        case 2:  // MuxedEd25519Account: the id, then the key of the account
            found = (.account, Hash32(bytes, at: offset + 12))
        case 3:  // ClaimableBalanceID: a discriminant whose last byte is the payload's type byte, then the hash
            found = (.claimableBalance, Hash32(bytes, at: offset + 7))
        case 4:  // PoolID
            found = (.liquidityPool, Hash32(bytes, at: offset + 4))
        default:
            return nil
        }
        guard let key = found.1 else { return nil }
        self.init(kind: found.0, key: key)
    }
}
