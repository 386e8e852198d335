import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing

/// Setting histories back to the start, and deleting their rows.
@Suite(.timeLimit(.minutes(5))) struct HistoryResetTests {
    private static let numbers: [ProtocolID: Range<Int64>] = ["SEP41": 1 << 40..<2 << 40, "SEP50": 3 << 40..<4 << 40]
    /// 2026-01-05 and the day after, in microseconds since 2000-01-01.
    private static let days: [Range<Int64>] = [820_886_400_000_000..<820_972_800_000_000, 820_972_800_000_000..<821_059_200_000_000]

    /// Rows of ledgers 1 to 20, one of each protocol and one of another kind: the first ten of one day, the others of the next one.
    private static func with(_ body: (PostgresConnection) async throws -> Void) async throws {
        try await withStore { _, connection in
            try await connection.setCursor("oldest_ingest_ledger", "5")
            try await connection.setCursor("latest_ingest_ledger", "18")
            for id: ProtocolID in ["SEP41", "SEP50"] { try await connection.setHistoryCursor(id, "18") }
            try await connection.execute(
                """
                UPDATE protocols SET history_migration_status = 'success';
                INSERT INTO state_changes(to_id, operation_id, state_change_id, state_change_category, state_change_reason, ledger_number,
                        account_id, amount, ledger_created_at)
                    SELECT ledger << 32, ledger << 32, number, 'BALANCE', 'CREDIT', ledger, '\\x30', '1',
                           timestamptz '2026-01-05 23:59:59Z' + (ledger - 10) * interval '5 seconds'
                    FROM generate_series(1::bigint, 20) ledger, unnest(array[7, (1::bigint << 40) + 1, (3::bigint << 40) + 1]) number
                """)
            try await body(connection)
        }
    }

    private static func begin(_ ids: [ProtocolID], on connection: PostgresConnection) async throws -> HistoryReset {
        try await HistoryReset.begin(ids, names: CursorNames(), on: connection)
    }

    private static func delete(_ reset: HistoryReset, _ times: Range<Int64>, on connection: PostgresConnection) async throws -> Int {
        try await reset.deleteRows(closedIn: times, stateChangeIDs: numbers, settings: [], on: connection)
    }

    private static func ledgers(_ kind: Int64, on connection: PostgresConnection) async throws -> String? {
        try await connection.query(
            "SELECT string_agg(ledger_number::text, ' ' ORDER BY to_id) AS ledgers FROM state_changes WHERE state_change_id >> 40 = $1",
            [String(kind)]
        ).first?["ledgers"]
    }

    @Test func theCursorIsSetBackBeforeTheLatestLedgerIsRead() async throws {
        try await Self.with { connection in
            let reset = try await Self.begin(["SEP50"], on: connection)
            #expect(reset == HistoryReset(protocols: ["SEP50"], cursor: 4, latest: 18))
            #expect(try await connection.historyCursor("SEP50") == "4")
            #expect(try await connection.historyCursor("SEP41") == "18")
            let statuses = try await connection.query("SELECT history_migration_status AS status FROM protocols ORDER BY id")
            #expect(statuses.map { $0["status"] } == ["success", "not_started"])
        }
    }

    /// A missing cursor is made, and one that is no number is none any more.
    @Test(arguments: [nil, "soon"]) func whateverTheCursorIs(text: String?) async throws {
        try await Self.with { connection in
            try await connection.query("DELETE FROM ingest_store WHERE key = 'protocol_SEP41_history_cursor'")
            if let text { try await connection.setHistoryCursor("SEP41", text) }
            _ = try await Self.begin(["SEP41"], on: connection)
            #expect(try await connection.historyCursor("SEP41") == "4")
        }
    }

    @Test func whatIsInProgressIsLeft() async throws {
        try await Self.with { connection in
            try await connection.query("UPDATE protocols SET history_migration_status = 'in_progress' WHERE id = 'SEP41'")
            let reset = try await Self.begin(["SEP41", "SEP50"], on: connection)
            #expect(reset.protocols == ["SEP50"])
            #expect(try await connection.historyCursor("SEP41") == "18")
        }
    }

    @Test func withoutLedgersNothingIsWritten() async throws {
        try await Self.with { connection in
            try await connection.query("DELETE FROM ingest_store WHERE key = 'oldest_ingest_ledger'")
            await #expect(throws: StoreError.ingestionNotStarted(key: "oldest_ingest_ledger", .missing)) {
                try await Self.begin(["SEP41"], on: connection)
            }
            #expect(try await connection.historyCursor("SEP41") == "18")
            await #expect(throws: StoreError.unknownProtocols(["NONE"])) { try await Self.begin(["NONE"], on: connection) }
        }
    }

    @Test func whoMayNotDeleteIsRefusedFirst() async throws {
        try await Self.with { connection in
            try await connection.execute(
                """
                CREATE ROLE no_delete; GRANT ALL ON ingest_store, protocols TO no_delete; GRANT SELECT, INSERT ON state_changes TO no_delete;
                SET ROLE no_delete
                """)
            let error = await #expect(throws: StoreError.self) { try await Self.begin(["SEP41"], on: connection) }
            #expect(error?.underlying?.sqlState == "42501")
            try await connection.execute("RESET ROLE; DROP OWNED BY no_delete; DROP ROLE no_delete")
            #expect(try await connection.historyCursor("SEP41") == "18")
        }
    }

    @Test func onlyRowsOfTheProtocolUpToTheLatestLedgerAreDeletedADayAtATime() async throws {
        try await Self.with { connection in
            #expect(try await HistoryReset.days(on: connection) == Self.days)
            let reset = try await Self.begin(["SEP50"], on: connection)
            #expect(try await Self.delete(reset, Self.days[0], on: connection) == 10)
            #expect(try await Self.ledgers(3, on: connection) == (11...20).map(String.init).joined(separator: " "))
            #expect(try await Self.delete(reset, Self.days[1], on: connection) == 8)
            #expect(try await Self.ledgers(3, on: connection) == "19 20")
            for kind: Int64 in [0, 1] {
                #expect(try await Self.ledgers(kind, on: connection) == (1...20).map(String.init).joined(separator: " "))
            }
        }
    }

    @Test func anEmptyTableHasNoDays() async throws {
        try await withStore { _, connection in
            let days = try await HistoryReset.days(on: connection)
            #expect(days.isEmpty)
        }
    }

    /// Somebody else has begun it, while our session was away.
    @Test(
        arguments: [
            "UPDATE protocols SET history_migration_status = 'in_progress'",
            "UPDATE ingest_store SET value = '11' WHERE key LIKE 'protocol%'",
        ])
    func whatSomebodyElseHasBegunIsNotDeleted(script: String) async throws {
        try await Self.with { connection in
            let reset = try await Self.begin(["SEP41", "SEP50"], on: connection)
            try await connection.execute(script)
            let error = await #expect(throws: StoreError.self) { try await Self.delete(reset, Self.days[0], on: connection) }
            guard case .resetOvertaken("SEP41", _, _, expected: 4) = error else { throw Unexpected(error: error) }
            #expect(try await Self.ledgers(1, on: connection) == (1...20).map(String.init).joined(separator: " "))
        }
    }

    private struct Unexpected: Error { let error: StoreError? }
}
