/// An index as the server keeps it, as far as it matters what it serves.
struct TableIndex: Sendable, Hashable {
    let name: String
    /// Its keys and their order as in CREATE INDEX, such as `account_id, to_id DESC`; what else makes it another index follows.
    let keys: String
}

/// The indexes of `state_changes` beside its primary key.
enum StateChangeIndexes {
    private static let order = "ledger_created_at DESC, to_id DESC, operation_id DESC, state_change_id DESC"
    static let operation = TableIndex(name: "idx_state_changes_operation_id", keys: "operation_id")
    static let accountCategory = TableIndex(
        name: "idx_state_changes_account_category", keys: "account_id, state_change_category, state_change_reason, \(order)")
    static let account = TableIndex(name: "idx_state_changes_account_id", keys: "account_id, \(order)")

    /// Those of the contract, which `create` makes.
    static let contract = [operation, accountCategory]
    /// Those of later versions of wallet-backend.
    static let newer = [account]

    static let createStatements = contract.map { "CREATE INDEX IF NOT EXISTS \($0.name) ON state_changes (\($0.keys))" }

    /// How the indexes of a table differ from the nearer of the two sets: from the contract's where they are as near.
    static func notes(on found: [TableIndex]) -> [SchemaNote] {
        let fromContract = notes(on: found, expecting: contract)
        let fromNewer = notes(on: found, expecting: newer)
        return fromNewer.count < fromContract.count ? fromNewer : fromContract
    }

    /// By keys: names differ between versions, and whoever rebuilds an index may give it another.
    private static func notes(on found: [TableIndex], expecting expected: [TableIndex]) -> [SchemaNote] {
        let missing = expected.filter { index in !found.contains { $0.keys == index.keys } }
        var unmatched = expected
        let additional = found.filter { index in
            guard let match = unmatched.firstIndex(where: { $0.keys == index.keys }) else { return true }
            unmatched.remove(at: match)
            return false
        }
        return missing.map { .missingIndex(name: $0.name, keys: $0.keys) }
            + additional.map { .additionalIndex(name: $0.name, keys: $0.keys) }
    }
}
