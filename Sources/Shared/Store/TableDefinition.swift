/// A table of the contract (section 2): from this both its `CREATE TABLE` and its verification are made.
struct TableDefinition: Sendable {
    struct Column: Sendable {
        let name: String
        /// As `format_type` writes it.
        let type: String
        let isNullable: Bool
        let defaultValue: String?
        /// What else follows in CREATE TABLE.
        let constraint: String?

        init(_ name: String, _ type: String, null: Bool = false, default defaultValue: String? = nil, _ constraint: String? = nil) {
            self.name = name
            self.type = type
            isNullable = null
            self.defaultValue = defaultValue
            self.constraint = constraint
        }

        var sql: String {
            [name, type, isNullable ? nil : "NOT NULL", defaultValue.map { "DEFAULT " + $0 }, constraint].compactMap { $0 }.joined(
                separator: " ")
        }
    }

    let name: String
    let columns: [Column]
    let primaryKey: [String]
    /// This program inserts rows, so that a column that it does not know must not demand a value.
    let isInsertedInto: Bool
    /// Columns beyond the contract's guarantees that our inserts may set to NULL explicitly, so that a default does not help.
    let explicitNulls: Set<String>

    init(_ name: String, primaryKey: [String], isInsertedInto: Bool, explicitNulls: Set<String> = [], _ columns: [Column]) {
        self.name = name
        self.columns = columns
        self.primaryKey = primaryKey
        self.isInsertedInto = isInsertedInto
        self.explicitNulls = explicitNulls
    }

    /// - Parameter clause: what follows the list of columns.
    func createStatement(_ clause: String = "") -> String {
        let lines = columns.map(\.sql) + ["PRIMARY KEY (\(primaryKey.joined(separator: ", ")))"]
        return "CREATE TABLE IF NOT EXISTS \(name) (\n    \(lines.joined(separator: ",\n    "))\n)\(clause)"
    }
}

extension TableDefinition {
    /// The tables of section 2, each after those that it refers to.
    static let all = [ingestStore, protocols, protocolWasms, protocolContracts, stateChanges]

    static let ingestStore = TableDefinition(
        "ingest_store", primaryKey: ["key"], isInsertedInto: true,
        [
            Column("key", "character varying(255)"),
            Column("value", "character varying(255)"),
        ])

    private static func status(_ name: String) -> Column {
        Column(name, "text", default: "'not_started'", "CHECK (\(name) IN ('not_started', 'in_progress', 'success', 'failed'))")
    }

    private static func timestamp(_ name: String) -> Column {
        Column(name, "timestamp with time zone", default: "now()")
    }

    static let protocols = TableDefinition(
        "protocols", primaryKey: ["id"], isInsertedInto: true,
        [
            Column("id", "text"),
            status("classification_status"),
            status("history_migration_status"),
            status("current_state_migration_status"),
            timestamp("created_at"),
            timestamp("updated_at"),
        ])

    static let protocolWasms = TableDefinition(
        "protocol_wasms", primaryKey: ["wasm_hash"], isInsertedInto: false,
        [
            Column("wasm_hash", "bytea"),
            Column("protocol_id", "text", null: true, "REFERENCES protocols (id)"),
            timestamp("created_at"),
        ])

    static let protocolContracts = TableDefinition(
        "protocol_contracts", primaryKey: ["contract_id"], isInsertedInto: false,
        [
            Column("contract_id", "bytea"),
            Column("wasm_hash", "bytea", "REFERENCES protocol_wasms (wasm_hash)"),
            Column("name", "text", null: true),
            timestamp("created_at"),
        ])

    private static let categories = [
        "BALANCE", "ACCOUNT", "SIGNER", "SIGNATURE_THRESHOLD", "DATA_ENTRY", "HOME_DOMAIN", "ALLOWANCE", "FLAGS", "TRUSTLINE",
        "BALANCE_AUTHORIZATION",
    ]
    private static let reasons = ["CREATE", "MERGE", "DEBIT", "CREDIT", "MINT", "BURN", "ADD", "REMOVE", "UPDATE", "SET", "CLEAR"]

    private static func oneOf(_ column: String, _ values: [String]) -> String {
        "CHECK (\(column) IN (\(values.map { "'\($0)'" }.joined(separator: ", "))))"
    }

    static let stateChanges = TableDefinition(
        "state_changes", primaryKey: ["ledger_created_at", "to_id", "operation_id", "state_change_id"], isInsertedInto: true,
        explicitNulls: ["token_id", "amount", "spender_account_id", "key_value", "to_muxed_id"],
        [
            Column("to_id", "bigint"),
            Column("operation_id", "bigint"),
            Column("state_change_id", "bigint"),
            Column("state_change_category", "text", oneOf("state_change_category", categories)),
            Column("state_change_reason", "text", oneOf("state_change_reason", reasons)),
            timestamp("ingested_at"),
            Column("ledger_number", "integer"),
            Column("account_id", "bytea"),
            Column("token_id", "bytea", null: true),
            Column("amount", "text", null: true),
            Column("signer_account_id", "bytea", null: true),
            Column("spender_account_id", "bytea", null: true),
            Column("creator_account_id", "bytea", null: true),
            Column("destination_account_id", "bytea", null: true),
            Column("liquidity_pool_id", "text", null: true),
            Column("signer_weight_old", "smallint", null: true),
            Column("signer_weight_new", "smallint", null: true),
            Column("threshold", "text", null: true),
            Column("threshold_old", "smallint", null: true),
            Column("threshold_new", "smallint", null: true),
            Column("trustline_limit_old", "text", null: true),
            Column("trustline_limit_new", "text", null: true),
            Column("flags", "smallint", null: true),
            Column("data_entry_name", "text", null: true),
            Column("key_value", "jsonb", null: true),
            Column("to_muxed_id", "text", null: true),
            Column("ledger_created_at", "timestamp with time zone"),
        ])
}
