/// Encoders of `LedgerEntryChanges`.
extension XDRWriter {
    /// `LedgerEntryChangeType`
    private enum Change: Int32 {
        case updated = 1
        case state = 3
    }

    /// An entry before and after: two changes, of a list whose count is written apart.
    private mutating func beforeAndAfter(_ entry: (inout XDRWriter) -> Void) {
        for change in [Change.state, .updated] {
            int32(change.rawValue)
            entry(&self)
        }
    }

    /// A list of two changes: an account before and after.
    mutating func accountChanges(_ key: Bytes32, balance: Int64) {
        count(2)
        beforeAndAfter { $0.accountEntry(key, balance: balance) }
    }

    /// A list of four changes: a payer's and a payee's account.
    mutating func paymentChanges(from: Bytes32, to: Bytes32, balance: Int64) {
        count(4)
        beforeAndAfter { $0.accountEntry(from, balance: balance) }
        beforeAndAfter { $0.accountEntry(to, balance: balance) }
    }

    /// A list of changes of token balances that a contract keeps, two per owner.
    mutating func contractDataChanges(_ contract: Bytes32, owners: [Bytes32], amount: Int128) {
        count(2 * owners.count)
        for owner in owners {
            beforeAndAfter { $0.balanceEntry(contract, owner, amount) }
        }
    }

    /// A `LedgerEntry` of an account with all extensions that accounts have today.
    private mutating func accountEntry(_ key: Bytes32, balance: Int64) {
        uint32(63_000_000)  // lastModifiedLedgerSeq
        uint32(0)  // ACCOUNT
        accountID(key)
        int64(balance)
        int64(balance << 8)  // seqNum
        uint32(2)  // numSubEntries
        bool(false)  // inflationDest
        uint32(0)  // flags
        string("example.org")
        uint32(0x0100_0000)  // thresholds
        count(0)  // signers
        uint32(1)  // AccountEntryExtensionV1: liabilities
        int64(0)
        int64(0)
        uint32(2)  // AccountEntryExtensionV2: sponsoring
        uint32(0)
        uint32(0)
        count(0)
        uint32(3)  // AccountEntryExtensionV3: sequence ledger and time
        uint32(0)
        uint32(62_999_000)
        uint64(1_781_000_000)
        uint32(0)  // LedgerEntry.ext
    }

    /// A `LedgerEntry` of CONTRACT_DATA: the balance of `owner` as asset contracts keep it.
    private mutating func balanceEntry(_ contract: Bytes32, _ owner: Bytes32, _ amount: Int128) {
        uint32(63_000_000)
        uint32(6)  // CONTRACT_DATA
        uint32(0)
        balanceKey(contract, owner)
        map(3)
        symbol("amount")
        i128(amount)
        symbol("authorized")
        flag(true)
        symbol("clawback")
        flag(false)
        uint32(0)
    }

    /// Contract, key and durability, as in `ContractDataEntry` and in `LedgerKey.contractData`.
    mutating func balanceKey(_ contract: Bytes32, _ owner: Bytes32) {
        scAddress(.contract(contract))
        vector(2)
        symbol("Balance")
        address(.account(owner))
        uint32(1)  // PERSISTENT
    }
}
