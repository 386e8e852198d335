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
    /// The primary key is missing or allows other rows: some could be there twice.
    case otherKey(table: String, expected: String, found: String?)
    /// A column that we do not know demands a value.
    case unknownDemandsValue(table: String, column: String, type: String)

    /// For messages.
    public var description: String {
        switch self {
        case .missingTable(let table): "table \(table) is missing"
        case .missingColumn(let table, let column, let type): "\(table).\(column) (\(type)) is missing"
        case .otherType(let table, let column, let expected, let found): "\(table).\(column) has type \(found) instead of \(expected)"
        case .demandsValue(let table, let column): "\(table).\(column) is NOT NULL, but not every row has a value for it"
        case .otherKey(let table, let expected, let found):
            "the primary key of \(table) is \(found.map { "(\($0))" } ?? "missing") instead of (\(expected)): rows could be there twice"
        case .unknownDemandsValue(let table, let column, let type):
            "\(table).\(column) (\(type)) is unknown to this build, NOT NULL and without default, so that no row can be inserted"
        }
    }
}

/// Compares the catalogs with the contract.
struct SchemaInspection: Sendable {
    /// All differences that would break reading or writing; nothing else is one (additional nullable columns, constraints).
    let differences: [SchemaDifference]
    /// How `state_changes` is kept otherwise than expected.
    let notes: [SchemaNote]

    /// Throws `schemaMismatch` where there are differences.
    func notesIfUsable() throws(StoreError) -> [SchemaNote] {
        guard differences.isEmpty else { throw .schemaMismatch(differences) }
        return notes
    }

    private struct FoundColumn {
        let type: String
        let isNotNull: Bool
        let fillsItself: Bool
    }

    static func run(in session: PostgresSession) throws(StoreError) -> SchemaInspection {
        var differences: [SchemaDifference] = []
        var notes: [SchemaNote] = []
        for table in TableDefinition.all {
            let found = try StoreError.wrapping { () throws(PostgresError) in try columns(of: table.name, in: session) }
            differences += compare(table, found)
            guard table.isInsertedInto, !found.isEmpty else { continue }
            let keys = try StoreError.wrapping { () throws(PostgresError) in try indexes(of: table.name, in: session) }
            let expected = table.primaryKey.joined(separator: ", ")
            if keys.primaryKey.map({ Set($0) }) != Set(table.primaryKey) {
                let found = keys.primaryKey.map { $0.joined(separator: ", ") }
                differences.append(.otherKey(table: table.name, expected: expected, found: found))
            } else if let key = keys.primaryKey, key != table.primaryKey {
                notes.append(.otherKeyOrder(expected: expected, found: key.joined(separator: ", ")))
            }
            if table.name == TableDefinition.stateChanges.name { notes += StateChangeIndexes.notes(on: keys.others) }
        }
        return SchemaInspection(differences: differences, notes: notes)
    }

    /// The columns of a table's primary key, nil where it has none, and its other indexes, in the order of their names.
    ///
    /// From the catalogs alone: `pg_get_indexdef` and `pg_get_expr` would wait for whoever has locked the table.
    private static func indexes(
        of table: String, in session: PostgresSession
    ) throws(PostgresError) -> (primaryKey: [String]?, others: [TableIndex]) {
        let rows = try session.query(
            """
            SELECT c.relname AS name, i.indisprimary AS is_primary,
                   (SELECT string_agg(coalesce(a.attname, 'an expression') || CASE k.options & 3
                        WHEN 0 THEN '' WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' ELSE ' DESC' END, ', ' ORDER BY k.place)
                    FROM unnest(i.indkey, i.indoption) WITH ORDINALITY AS k(number, options, place)
                    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                    WHERE k.place <= i.indnkeyatts) AS keys,
                   CASE WHEN i.indisunique THEN ', unique' ELSE '' END || CASE WHEN m.amname = 'btree' THEN '' ELSE ', ' || m.amname END
                   || CASE WHEN i.indpred IS NULL THEN '' ELSE ', partial' END
                   || CASE WHEN i.indisvalid THEN '' ELSE ', not valid' END AS kind
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
            WHERE i.indrelid = to_regclass($1) ORDER BY c.relname
            """, [table], label: "reading the indexes of table \(table)")
        var primaryKey: [String]?
        var others: [TableIndex] = []
        for row in rows {
            if row["is_primary"] == "t" {
                primaryKey = try row.required("keys").split(separator: ", ").map(String.init)
            } else {
                others.append(TableIndex(name: try row.required("name"), keys: try row.required("keys") + row.required("kind")))
            }
        }
        return (primaryKey, others)
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
