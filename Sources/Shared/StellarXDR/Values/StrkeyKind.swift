/// The kinds of strkey that an address can be; the raw value is the version byte (SEP-23).
@frozen
public enum StrkeyKind: UInt8, Sendable, CaseIterable {
    /// A claimable balance, `B...`: a type byte and 32 bytes.
    case claimableBalance = 0x08
    /// A contract, `C...`: 32 bytes.
    case contract = 0x10
    /// An account, `G...`: its Ed25519 key.
    case account = 0x30
    /// A liquidity pool, `L...`: 32 bytes.
    case liquidityPool = 0x58
    /// A muxed account, `M...`: the account's Ed25519 key and a 64-bit id.
    case muxedAccount = 0x60

    /// How many bytes a strkey of this kind carries between version byte and checksum.
    public var payloadLength: Int {
        switch self {
        case .account, .contract, .liquidityPool: 32
        case .claimableBalance: 33
        case .muxedAccount: 40
        }
    }
}
