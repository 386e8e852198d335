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

    var createStatement: String {
        let lines = columns.map(\.sql) + ["PRIMARY KEY (\(primaryKey.joined(separator: ", ")))"]
        return "CREATE TABLE IF NOT EXISTS \(name) (\n    \(lines.joined(separator: ",\n    "))\n)"
    }
}
