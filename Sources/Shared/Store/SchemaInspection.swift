internal import PostgreSQL

/// One way in which the database is not as the contract says.
public enum SchemaDifference: Sendable, Hashable, CustomStringConvertible {
    /// The table is missing (or is a view or something else).
    case missingTable(String)
    /// The column is missing.
    case missingColumn(table: String, column: String, type: String)
    /// The column has another type.
    case otherType(table: String, column: String, expected: String, found: String)
    /// The column demands a value that our rows do not always have.
    case demandsValue(table: String, column: String)
    /// A column that we do not know demands a value.
    case unknownDemandsValue(table: String, column: String, type: String)

    /// For messages.
    public var description: String {
        switch self {
        case .missingTable(let table): "table \(table) is missing"
        case .missingColumn(let table, let column, let type): "\(table).\(column) (\(type)) is missing"
        case .otherType(let table, let column, let expected, let found): "\(table).\(column) has type \(found) instead of \(expected)"
        case .demandsValue(let table, let column): "\(table).\(column) is NOT NULL, but not every row has a value for it"
        case .unknownDemandsValue(let table, let column, let type):
            "\(table).\(column) (\(type)) is unknown to this build, NOT NULL and without default, so that no row can be inserted"
        }
    }
}

/// Compares the catalogs with the contract.
enum SchemaInspection {
    private struct FoundColumn {
        let type: String
        let isNotNull: Bool
        let fillsItself: Bool
    }

    /// All differences that would break reading or writing; nothing else is one (additional nullable columns, indexes, constraints).
    static func differences(in session: PostgresSession) throws(StoreError) -> [SchemaDifference] {
        var differences: [SchemaDifference] = []
        for table in TableDefinition.all {
            let found = try StoreError.wrapping { () throws(PostgresError) in try columns(of: table.name, in: session) }
            differences += compare(table, found)
        }
        return differences
    }

    /// The columns of a table, empty where there is none. The name is looked up as statements do it, through the search path.
    private static func columns(of table: String, in session: PostgresSession) throws(PostgresError) -> [String: FoundColumn] {
        let rows = try session.query(
            """
            SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
                   a.atthasdef OR a.attidentity <> '' AS fills_itself
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE a.attrelid = to_regclass($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
            """, [table], label: "reading the columns of table \(table)")
        var columns: [String: FoundColumn] = [:]
        for row in rows {
            columns[try row.required("name")] = FoundColumn(
                type: try row.required("type"), isNotNull: row["not_null"] == "t", fillsItself: row["fills_itself"] == "t")
        }
        return columns
    }

    private static func compare(_ table: TableDefinition, _ found: [String: FoundColumn]) -> [SchemaDifference] {
        guard !found.isEmpty else { return [.missingTable(table.name)] }
        var differences: [SchemaDifference] = []
        for column in table.columns {
            guard let actual = found[column.name] else {
                differences.append(.missingColumn(table: table.name, column: column.name, type: column.type))
                continue
            }
            if actual.type != column.type {
                differences.append(.otherType(table: table.name, column: column.name, expected: column.type, found: actual.type))
            }
            let mustTakeNull = table.explicitNulls.contains(column.name) || !actual.fillsItself
            if table.isInsertedInto, column.isNullable, actual.isNotNull, mustTakeNull {
                differences.append(.demandsValue(table: table.name, column: column.name))
            }
            // A default that the contract promises and that is gone: our inserts leave the column out.
            if table.isInsertedInto, column.defaultValue != nil, actual.isNotNull, !actual.fillsItself {
                differences.append(.demandsValue(table: table.name, column: column.name))
            }
        }
        let known = Set(table.columns.map(\.name))
        for (name, column) in found.sorted(by: { $0.key < $1.key })
        where table.isInsertedInto && !known.contains(name) && column.isNotNull && !column.fillsItself {
            differences.append(.unknownDemandsValue(table: table.name, column: name, type: column.type))
        }
        return differences
    }
}
