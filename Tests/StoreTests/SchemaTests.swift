import PostgreSQL

import StateChanges
import Store
import TestSupport
import Testing

/// `migrate up`, and what the verification finds.
@Suite(.timeLimit(.minutes(5))) struct SchemaTests {
    @Test func createdTablesFitAndMayBeCreatedAgain() async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            let first = try await Schema.create(registering: ["SEP50", "SEP41"], on: connection)
            #expect(first.createdTables == ["ingest_store", "protocols", "protocol_wasms", "protocol_contracts", "state_changes"])
            #expect(first.registeredProtocols == ["SEP41", "SEP50"])
            // No TimescaleDB here: a plain table.
            #expect(!first.isHypertable)
            try await Schema.verify(on: connection)
            try await connection.query("UPDATE protocols SET history_migration_status = 'success' WHERE id = 'SEP41'")

            let second = try await Schema.create(registering: ["SEP41", "SEP50", "NEW"], on: connection)
            #expect(second.createdTables.isEmpty)
            #expect(second.registeredProtocols == ["NEW"])
            #expect(try await connection.migrationStatus("SEP41") == "success")
            #expect(try await connection.migrationStatus("NEW") == "not_started")
        }
    }

    @Test func constraintsAndIndexesAreThoseOfTheContract() async throws {
        try await withStore { _, connection in
            let indexes = try await connection.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'state_changes'").compactMap {
                $0[0]
            }
            #expect(indexes.count == 3)
            #expect(indexes.contains { $0.hasSuffix("(ledger_created_at, to_id, operation_id, state_change_id)") && $0.contains("UNIQUE") })
            #expect(indexes.contains { $0.hasSuffix("(operation_id)") })
            let account = """
                (account_id, state_change_category, state_change_reason, \
                ledger_created_at DESC, to_id DESC, operation_id DESC, state_change_id DESC)
                """
            #expect(indexes.contains { $0.hasSuffix(account) })
            await #expect(throws: PostgresError.self) { try await connection.query("UPDATE protocols SET classification_status = 'done'") }
            let insert = """
                INSERT INTO state_changes (to_id, operation_id, state_change_id, state_change_category, state_change_reason, ledger_number,
                    account_id, ledger_created_at) VALUES (1, 1, 1, $1, $2, 1, '\\x00', now())
                """
            try await connection.query(insert, ["BALANCE_AUTHORIZATION", "CLEAR"])
            for (category, reason) in [("NONSENSE", "CLEAR"), ("BALANCE", "NONSENSE")] {
                let error = await #expect(throws: PostgresError.self) { try await connection.query(insert, [category, reason]) }
                #expect(error?.sqlState == "23514")
            }
        }
    }

    @Test func twoAtTheSameTimeBothSucceed() async throws {
        try await withEmptyDatabase { address in
            let one = try await connect(address)
            let two = try await connect(address)
            async let first = Schema.create(registering: ["SEP41"], on: one)
            async let second = Schema.create(registering: ["SEP41"], on: two)
            let created = try await first.createdTables + second.createdTables
            #expect(created.count == 5)
        }
    }

    @Test(arguments: [
        ("DROP TABLE protocol_contracts", SchemaDifference.missingTable("protocol_contracts")),
        ("DROP TABLE state_changes; CREATE VIEW state_changes AS SELECT 1 AS to_id", .missingTable("state_changes")),
        ("ALTER TABLE state_changes DROP COLUMN to_muxed_id", .missingColumn(table: "state_changes", column: "to_muxed_id", type: "text")),
        (
            "ALTER TABLE state_changes ALTER COLUMN amount TYPE numeric USING amount::numeric",
            .otherType(table: "state_changes", column: "amount", expected: "text", found: "numeric")
        ),
        (
            "ALTER TABLE ingest_store ALTER COLUMN value TYPE varchar(99)",
            .otherType(table: "ingest_store", column: "value", expected: "character varying(255)", found: "character varying(99)")
        ),
        ("ALTER TABLE state_changes ALTER COLUMN amount SET NOT NULL", .demandsValue(table: "state_changes", column: "amount")),
        (
            "ALTER TABLE state_changes ALTER COLUMN key_value SET NOT NULL, ALTER COLUMN key_value SET DEFAULT '{}'",
            .demandsValue(table: "state_changes", column: "key_value")
        ),
        ("ALTER TABLE state_changes ALTER COLUMN ingested_at DROP DEFAULT", .demandsValue(table: "state_changes", column: "ingested_at")),
        (
            "ALTER TABLE state_changes ADD COLUMN operator text NOT NULL",
            .unknownDemandsValue(table: "state_changes", column: "operator", type: "text")
        ),
    ])
    func aDifferenceIsNamed(change: String, difference: SchemaDifference) async throws {
        try await withStore { _, connection in
            try await connection.execute(change)
            let error = await #expect(throws: StoreError.self) { try await Schema.verify(on: connection) }
            #expect(error == .schemaMismatch([difference]))
            #expect(error?.description.contains(difference.description) == true)
        }
    }

    @Test func allDifferencesAreInOneMessage() async throws {
        try await withStore { _, connection in
            try await connection.execute(
                "DROP TABLE protocol_contracts; ALTER TABLE state_changes DROP COLUMN flags, ADD COLUMN operator text NOT NULL")
            let error = await #expect(throws: StoreError.self) { try await Schema.verify(on: connection) }
            for word in ["protocol_contracts", "flags", "operator"] { #expect(error?.description.contains(word) == true) }
            // Creating what is missing does not hide the rest, and is undone.
            await #expect(throws: StoreError.self) { try await Schema.create(registering: [], on: connection) }
            let found = try await connection.query("SELECT to_regclass('protocol_contracts') AS name")[0]["name"]
            #expect(found == nil)
        }
    }

    @Test(arguments: [
        "ALTER TABLE state_changes ADD COLUMN remark text",
        "ALTER TABLE state_changes ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE state_changes ADD COLUMN origin text NOT NULL DEFAULT 'unknown'",
        "ALTER TABLE protocol_wasms ADD COLUMN size integer NOT NULL",
        "ALTER TABLE state_changes ALTER COLUMN flags SET DEFAULT 0, ALTER COLUMN flags SET NOT NULL",
    ])
    func whatDoesNotMatterIsNoDifference(change: String) async throws {
        try await withStore { _, connection in
            try await connection.execute(change)
            try await Schema.verify(on: connection)
        }
    }

    @Test func anEmptyDatabaseIsRefusedAndLeftEmpty() async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            let error = await #expect(throws: StoreError.self) { try await Schema.verify(on: connection) }
            #expect(error?.description.contains("migrate up") == true)
            #expect(try await connection.count("pg_tables WHERE schemaname = 'public'") == 0)
        }
    }
}
