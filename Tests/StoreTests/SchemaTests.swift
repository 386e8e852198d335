import Logging
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
            #expect(first.notes.isEmpty)
            #expect(try await Schema.verify(on: connection).isEmpty)
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

    @Test func indexesAreCalledAsThoseOfWalletBackend() async throws {
        try await withStore { _, connection in
            let names = try await connection.query("SELECT indexname FROM pg_indexes WHERE tablename = 'state_changes' ORDER BY 1")
            #expect(names.map { $0[0] } == ["idx_state_changes_account_category", "idx_state_changes_operation_id", "state_changes_pkey"])
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
            "ALTER TABLE state_changes DROP CONSTRAINT state_changes_pkey",
            .otherKey(table: "state_changes", expected: "ledger_created_at, to_id, operation_id, state_change_id", found: nil)
        ),
        (
            """
            ALTER TABLE state_changes DROP CONSTRAINT state_changes_pkey,
                ADD PRIMARY KEY (ledger_created_at, to_id, operation_id, state_change_id, account_id)
            """,
            .otherKey(
                table: "state_changes", expected: "ledger_created_at, to_id, operation_id, state_change_id",
                found: "ledger_created_at, to_id, operation_id, state_change_id, account_id")
        ),
        (
            "ALTER TABLE ingest_store DROP CONSTRAINT ingest_store_pkey",
            .otherKey(table: "ingest_store", expected: "key", found: nil)
        ),
        (
            "ALTER TABLE state_changes ADD COLUMN operator text NOT NULL",
            .unknownDemandsValue(table: "state_changes", column: "operator", type: "text")
        ),
    ])
    func aDifferenceIsNamed(change: String, difference: SchemaDifference) async throws {
        try await withStore { _, connection in
            try await connection.execute(change)
            let error = await #expect(throws: StoreError.self) { _ = try await Schema.verify(on: connection) }
            #expect(error == .schemaMismatch([difference]))
            #expect(error?.description.contains(difference.description) == true)
        }
    }

    @Test func allDifferencesAreInOneMessage() async throws {
        try await withStore { _, connection in
            try await connection.execute(
                "DROP TABLE protocol_contracts; ALTER TABLE state_changes DROP COLUMN flags, ADD COLUMN operator text NOT NULL")
            let error = await #expect(throws: StoreError.self) { _ = try await Schema.verify(on: connection) }
            for word in ["protocol_contracts", "flags", "operator"] { #expect(error?.description.contains(word) == true) }
            // Creating what is missing does not hide the rest, and is undone.
            await #expect(throws: StoreError.self) { _ = try await Schema.create(registering: [], on: connection) }
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
            #expect(try await Schema.verify(on: connection).isEmpty)
        }
    }

    private struct IndexCase: Sendable, CustomTestStringConvertible {
        let change: String
        let notes: [SchemaNote]
        var testDescription: String { change }

        init(_ change: String, _ notes: SchemaNote...) {
            self.change = change
            self.notes = notes
        }
    }

    private static let order = "ledger_created_at DESC, to_id DESC, operation_id DESC, state_change_id DESC"
    private static let toNewer = """
        DROP INDEX idx_state_changes_operation_id; DROP INDEX idx_state_changes_account_category;
        CREATE INDEX anything ON state_changes (account_id, \(order));
        """
    private static let noOperation = SchemaNote.missingIndex(name: "idx_state_changes_operation_id", keys: "operation_id")
    private static let noCategory = SchemaNote.missingIndex(
        name: "idx_state_changes_account_category", keys: "account_id, state_change_category, state_change_reason, " + order)
    private static let noAccount = SchemaNote.missingIndex(name: "idx_state_changes_account_id", keys: "account_id, " + order)
    private static let otherOrder = SchemaNote.otherKeyOrder(
        expected: "ledger_created_at, to_id, operation_id, state_change_id",
        found: "to_id, operation_id, state_change_id, ledger_created_at")

    private static let indexCases = [
        IndexCase("ALTER INDEX idx_state_changes_account_category RENAME TO idx_state_changes_account_category_reason"),
        IndexCase(toNewer),
        IndexCase("DROP INDEX idx_state_changes_operation_id", noOperation),
        IndexCase("DROP INDEX idx_state_changes_account_category", noCategory),
        IndexCase(toNewer + "DROP INDEX anything", noAccount),
        IndexCase(toNewer + "CREATE INDEX more ON state_changes (operation_id)", .additionalIndex(name: "more", keys: "operation_id")),
        IndexCase(
            "CREATE INDEX state_changes_ledger_created_at_idx ON state_changes (ledger_created_at DESC)",
            .additionalIndex(name: "state_changes_ledger_created_at_idx", keys: "ledger_created_at DESC")),
        IndexCase("CREATE INDEX twice ON state_changes (operation_id)", .additionalIndex(name: "twice", keys: "operation_id")),
        IndexCase(
            "DROP INDEX idx_state_changes_operation_id; CREATE INDEX part ON state_changes (operation_id) WHERE operation_id > 0",
            noOperation, .additionalIndex(name: "part", keys: "operation_id, partial")),
        IndexCase(
            "DROP INDEX idx_state_changes_operation_id; CREATE INDEX other ON state_changes USING hash (operation_id)",
            noOperation, .additionalIndex(name: "other", keys: "operation_id, hash")),
        IndexCase(
            "CREATE UNIQUE INDEX sole ON state_changes (operation_id, (amount || 'x') DESC NULLS LAST)",
            .additionalIndex(name: "sole", keys: "operation_id, an expression DESC NULLS LAST, unique")),
        IndexCase(
            """
            ALTER TABLE state_changes DROP CONSTRAINT state_changes_pkey,
                ADD PRIMARY KEY (to_id, operation_id, state_change_id, ledger_created_at)
            """, otherOrder),
    ]

    /// The contract's set and the newer one of a single index, by whatever names; all else is named.
    @Test(arguments: Self.indexCases) private func otherIndexesAreNoted(the: IndexCase) async throws {
        let notes = the.notes
        try await withStore { _, connection in
            try await connection.execute(the.change)
            let found = try await Schema.verify(on: connection)
            #expect(Set(found) == Set(notes))
            #expect(found.count == notes.count)
            #expect(try await Schema.create(registering: [], on: connection).notes == found)
            let log = LogRecorder()
            found.log(to: log.logger)
            #expect(log.lines.map(\.level) == (notes.isEmpty ? [] : [.warning]))
            for note in notes { #expect(log.lines.first?.description.contains(note.description) == true) }
        }
    }

    /// Whoever has the tables to himself for long (a compression, an index that is built) does not keep a program from its start.
    @Test func aLockedTableIsNotWaitedFor() async throws {
        try await withStore { address, connection in
            let locking = try await connect(address)
            try await connection.execute("CREATE INDEX part ON state_changes ((amount || 'x')) WHERE operation_id > 0")
            try await locking.execute(
                "BEGIN; LOCK TABLE ingest_store, protocols, protocol_wasms, protocol_contracts, state_changes IN ACCESS EXCLUSIVE MODE")
            try await connection.execute("SET lock_timeout = 1")
            #expect(try await Schema.verify(on: connection).count == 1)
        }
    }

    /// A table of that name elsewhere is not looked at.
    @Test func theTableIsTheOneOfTheSearchPath() async throws {
        try await withStore { _, connection in
            try await connection.execute("CREATE SCHEMA other; CREATE TABLE other.state_changes (LIKE public.state_changes)")
            #expect(try await Schema.verify(on: connection).isEmpty)
            try await connection.execute("SET search_path = other, public")
            let error = await #expect(throws: StoreError.self) { _ = try await Schema.verify(on: connection) }
            #expect(error?.description.contains("primary key of state_changes is missing") == true)
        }
    }

    @Test func aLayoutIsThatOfTheTableAndNotOfAnother() async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            let layout = TableLayout(
                clause: " WITH (fillfactor = 77)", statements: ["CREATE TABLE made AS SELECT indexname FROM pg_indexes"])
            _ = try await Schema.create(layout, registering: [], on: connection)
            #expect(
                try await connection.query("SELECT relname FROM pg_class WHERE 'fillfactor=77' = ANY (reloptions)").map { $0[0] } == [
                    "state_changes"
                ])
            // The statements come after the indexes.
            #expect(try await connection.count("made WHERE indexname LIKE 'idx_state_changes%'") == 2)
            // An existing table is left alone.
            _ = try await Schema.create(TableLayout(clause: "", statements: ["DROP TABLE state_changes"]), registering: [], on: connection)
            #expect(try await Schema.verify(on: connection).isEmpty)
        }
    }

    /// Also what was made before it.
    @Test func aLayoutThatFailsLeavesNothing() async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            await #expect(throws: StoreError.self) {
                _ = try await Schema.create(TableLayout(clause: "", statements: ["SELECT 1 / 0"]), registering: [], on: connection)
            }
            #expect(try await connection.count("pg_tables WHERE schemaname = 'public'") == 0)
        }
    }

    @Test func anEmptyDatabaseIsRefusedAndLeftEmpty() async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            let error = await #expect(throws: StoreError.self) { _ = try await Schema.verify(on: connection) }
            #expect(error?.description.contains("migrate up") == true)
            #expect(try await connection.count("pg_tables WHERE schemaname = 'public'") == 0)
        }
    }
}
