/// How `state_changes` is kept beyond what every PostgreSQL does. Says nothing of columns, keys and indexes: those are the contract's.
public struct TableLayout: Sendable, Hashable {
    /// What follows the list of columns in `CREATE TABLE state_changes`, such as ` WITH (...)`.
    public let clause: String
    /// What is run once the table and its indexes are there, in the same transaction.
    public let statements: [String]

    /// Both, as SQL.
    public init(clause: String, statements: [String]) {
        self.clause = clause
        self.statements = statements
    }

    /// An ordinary table.
    public static let plain = TableLayout(clause: "", statements: [])
}
