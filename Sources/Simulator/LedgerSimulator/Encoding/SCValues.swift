/// `SCValType` of Stellar-contract.x, as far as the simulator's events need it.
enum SCValType: Int32 {
    case bool = 0
    case void = 1
    case u32 = 3
    case u64 = 5
    case u128 = 9
    case i128 = 10
    case u256 = 11
    case string = 14
    case symbol = 15
    case vec = 16
    case map = 17
    case address = 18
}

/// Encoders of `SCVal`.
extension XDRWriter {
    mutating func type(_ type: SCValType) { int32(type.rawValue) }

    mutating func symbol(_ text: String) {
        type(.symbol)
        string(text)
    }

    mutating func text(_ text: String) {
        type(.string)
        string(text)
    }

    mutating func void() { type(.void) }

    mutating func flag(_ value: Bool) {
        type(.bool)
        bool(value)
    }

    mutating func u32(_ value: UInt32) {
        type(.u32)
        uint32(value)
    }

    mutating func u64(_ value: UInt64) {
        type(.u64)
        uint64(value)
    }

    mutating func i128(_ value: Int128) {
        type(.i128)
        words(UInt128(bitPattern: value))
    }

    mutating func u128(_ value: UInt128) {
        type(.u128)
        words(value)
    }

    mutating func u256(high: UInt128, low: UInt128) {
        type(.u256)
        words(high)
        words(low)
    }

    private mutating func words(_ value: UInt128) {
        uint64(UInt64(truncatingIfNeeded: value >> 64))
        uint64(UInt64(truncatingIfNeeded: value))
    }

    /// The head of an `SCVec` (an optional pointer that is present); its elements follow.
    mutating func vector(_ elements: Int) {
        type(.vec)
        bool(true)
        count(elements)
    }

    /// The head of an `SCMap` (an optional pointer that is present); its keys and values follow.
    mutating func map(_ entries: Int) {
        type(.map)
        bool(true)
        count(entries)
    }

    mutating func address(_ party: Party) {
        type(.address)
        scAddress(party)
    }

    /// An `SCAddress` outside an `SCVal`.
    mutating func scAddress(_ party: Party) {
        switch party {
        case .account(let key):
            uint32(0)
            accountID(key)
        case .contract(let id):
            uint32(1)
            fixed(id)
        case .muxed(let id, let key):
            uint32(2)
            uint64(id)
            fixed(key)
        case .claimableBalance(let id):
            uint32(3)
            uint32(0)  // CLAIMABLE_BALANCE_ID_TYPE_V0
            fixed(id)
        case .liquidityPool(let id):
            uint32(4)
            fixed(id)
        }
    }

    /// An `AccountID`: PUBLIC_KEY_TYPE_ED25519 and the key.
    mutating func accountID(_ key: Bytes32) {
        uint32(0)
        fixed(key)
    }
}
