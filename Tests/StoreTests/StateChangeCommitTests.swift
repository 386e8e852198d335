import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing

/// The writer's transaction.
@Suite(.timeLimit(.minutes(5))) struct StateChangeCommitTests {
    @Test func cursorsAndRowsGoTogether() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.setHistoryCursor("SEP50", "99")
            let commit = StateChangeCommit(
                ledgers: 100...109,
                rows: [Tuples.rows("SEP50", ledgers: 100...109, base: 3 << 40), Tuples.rows("SEP41", ledgers: 100...109, perLedger: 3)])
            let result = try await commit.run(on: connection)
            #expect(result.outcomes == ["SEP41": .swapped, "SEP50": .swapped])
            #expect(result.storedRows == 40)
            #expect(try await connection.historyCursor("SEP41") == "109")
            #expect(try await connection.historyCursor("SEP50") == "109")
            let rows = try await connection.query(
                "SELECT *, extract(epoch FROM ledger_created_at)::bigint AS closed FROM state_changes ORDER BY to_id, state_change_id LIMIT 1"
            )
            let row = try #require(rows.first)
            #expect(row["to_id"] == String(Int64(100) << 32 | 1 << 12))
            #expect(row["state_change_id"] == String(Int64(1 << 40) + 1))
            #expect(row["ledger_number"] == "100")
            #expect(row["amount"] == "1234567")
            #expect(row["spender_account_id"] == nil)
            #expect(row["key_value"] == "{\"token_id\": \"7\"}")
            #expect(row["ingested_at"] != nil)
            // 946684800 is 2000-01-01, where PostgreSQL's time begins.
            #expect(row["closed"] == String(946_684_800 + 500))
        }
    }

    @Test func chunksMayBeCutAnywhere() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let bytes = Tuples.debits(ledgers: 100...199)
            let chunks = stride(from: 0, to: bytes.count, by: 777).map { Array(bytes[$0..<min($0 + 777, bytes.count)]) }
            let rows = StateChangeRows("SEP41", rowCount: 100, chunks: chunks)
            #expect(try await StateChangeCommit(ledgers: 100...199, rows: [rows]).run(on: connection).storedRows == 100)
        }
    }

    @Test func aCommitWithoutRowsMovesTheCursor() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let commit = StateChangeCommit(ledgers: 100...100, rows: [.init("SEP41", rowCount: 0, chunks: [])])
            #expect(try await commit.run(on: connection).outcomes == ["SEP41": .swapped])
            #expect(try await connection.historyCursor("SEP41") == "100")
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    @Test(
        arguments: [
            ("110", .ledger(110)), ("98", .ledger(98)), ("0", .ledger(0)), (nil, .missing), ("ninety-nine", .malformed("ninety-nine")),
            ("099", .malformed("099")),
        ] as [(String?, CursorReading)])
    func aCursorElsewhereGetsNoRows(cursor: String?, reading: CursorReading) async throws {
        try await withStore { _, connection in
            if let cursor { try await connection.setHistoryCursor("SEP41", cursor) }
            let commit = StateChangeCommit(ledgers: 100...109, rows: [Tuples.rows("SEP41", ledgers: 100...109)])
            let result = try await commit.run(on: connection)
            #expect(result.outcomes == ["SEP41": .refused(reading)])
            #expect(result.storedRows == 0)
            #expect(try await connection.historyCursor("SEP41") == cursor)
            #expect(try await connection.count("state_changes") == 0)
            #expect(await connection.perform { $0.isInTransaction } == false)
        }
    }

    @Test func oneProtocolsFailedSwapDoesNotStopTheOther() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "105")
            try await connection.setHistoryCursor("SEP50", "99")
            let commit = StateChangeCommit(
                ledgers: 100...109,
                rows: [Tuples.rows("SEP41", ledgers: 100...109), Tuples.rows("SEP50", ledgers: 100...109, base: 3 << 40)])
            let result = try await commit.run(on: connection)
            #expect(result.outcomes == ["SEP41": .refused(.ledger(105)), "SEP50": .swapped])
            #expect(try await connection.historyCursor("SEP41") == "105")
            #expect(try await connection.historyCursor("SEP50") == "109")
            #expect(try await connection.count("state_changes WHERE state_change_id > 3::bigint << 40") == 10)
            #expect(try await connection.count("state_changes") == 10)
        }
    }

    /// A commit of both protocols, of which only the first one's cursor stands right, where this is said to be the oldest ledger.
    private static func commit(
        oldest: String?, _ check: (StateChangeCommit.Result, PostgresConnection) async throws -> Void
    ) async throws {
        try await withStore { _, connection in
            if let oldest { try await connection.setCursor("the 'oldest'", oldest) }
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.setHistoryCursor("SEP50", "105")
            let commit = StateChangeCommit(
                ledgers: 100...109,
                rows: [Tuples.rows("SEP41", ledgers: 100...109), Tuples.rows("SEP50", ledgers: 100...109, base: 3 << 40)],
                oldestName: "the 'oldest'")
            try await check(try await commit.run(on: connection), connection)
        }
    }

    @Test(arguments: [101, 105, 110, 2_147_483_647])
    func nothingIsWrittenOfARangeThatBeginsBelowTheOldestLedger(oldest: UInt32) async throws {
        try await Self.commit(oldest: "\(oldest)") { result, connection async throws in
            #expect(result.belowOldest == oldest)
            #expect(result.outcomes.isEmpty)
            #expect(result.storedRows == 0)
            #expect(try await connection.historyCursor("SEP41") == "99")
            #expect(try await connection.count("state_changes") == 0)
            #expect(await connection.perform { $0.isInTransaction } == false)
        }
    }

    /// Whatever is said to be the oldest ledger where that is no ledger at all: what went through before goes on.
    @Test(arguments: ["100", "1", "0", nil, "soon", "0200", "-1"])
    func aRangeThatIsKeptIsWrittenAndSoIsOneOfWhichNobodyKnows(oldest: String?) async throws {
        try await Self.commit(oldest: oldest) { result, connection async throws in
            #expect(result.belowOldest == nil)
            #expect(result.outcomes == ["SEP41": .swapped, "SEP50": .refused(.ledger(105))])
            #expect(try await connection.historyCursor("SEP41") == "109")
            #expect(try await connection.count("state_changes") == 10)
        }
    }

    @Test func aWrongRowCountIsRolledBack() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let rows = StateChangeRows("SEP41", rowCount: 11, chunks: [Tuples.debits(ledgers: 100...109)])
            let error = await #expect(throws: StoreError.self) {
                try await StateChangeCommit(ledgers: 100...109, rows: [rows]).run(on: connection)
            }
            #expect(error == .rowCountMismatch(ledgers: 100...109, "SEP41", expected: 11, stored: 10))
            #expect(try await connection.historyCursor("SEP41") == "99")
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    @Test func rowsThatTheTableRefusesAreRolledBack() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let whole = Tuples.debits(ledgers: 100...100)
            let wrong = [Tuples.debits(ledgers: 100...100, category: "NONSENSE"), Array(whole.dropLast(3)), whole + [0xff, 0xff] + whole]
            for chunk in wrong {
                let rows = StateChangeRows("SEP41", rowCount: 1, chunks: [chunk])
                let error = await #expect(throws: StoreError.self) {
                    try await StateChangeCommit(ledgers: 100...100, rows: [rows]).run(on: connection)
                }
                #expect(error?.description.contains("ledgers 100 to 100") == true)
                #expect(error?.isTransient == false)
                #expect(try await connection.historyCursor("SEP41") == "99")
            }
            // The session is fit for the next commit.
            let commit = StateChangeCommit(ledgers: 100...100, rows: [Tuples.rows("SEP41", ledgers: 100...100)])
            #expect(try await commit.run(on: connection).storedRows == 1)
        }
    }

    @Test func rowsThatAreThereAlreadyAreTold() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let commit = StateChangeCommit(ledgers: 100...109, rows: [Tuples.rows("SEP41", ledgers: 100...109)])
            _ = try await commit.run(on: connection)
            try await connection.setHistoryCursor("SEP41", "99")
            let error = await #expect(throws: StoreError.self) { try await commit.run(on: connection) }
            guard case .rowsAlreadyThere(100...109, _) = error else {
                Issue.record("not told that rows are there: \(String(describing: error))")
                return
            }
            #expect(error?.description.contains("state_changes already has rows of ledgers 100 to 109") == true)
            #expect(try await connection.historyCursor("SEP41") == "99")
        }
    }

    @Test(arguments: [0...10, 2_147_483_600...2_147_483_648] as [ClosedRange<UInt32>])
    func impossibleLedgersAreRefused(ledgers: ClosedRange<UInt32>) async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "2147483599")
            let commit = StateChangeCommit(ledgers: ledgers, rows: [.init("SEP41", rowCount: 0, chunks: [])])
            await #expect(throws: StoreError.impossibleLedgers(ledgers)) { try await commit.run(on: connection) }
        }
    }

    @Test func theSwapAloneInATransactionOfTheCaller() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let outcomes = try await connection.perform { session throws(PostgresError) in
                try session.transaction(.readCommitted) { () throws(PostgresError) in
                    let first = try CursorSwap.swap(["SEP41"], from: 99, to: 100, in: session)
                    let again = try CursorSwap.swap(["SEP41", "SEP50"], from: 99, to: 100, in: session)
                    return [first, again]
                }
            }
            #expect(outcomes == [["SEP41": .swapped], ["SEP41": .refused(.ledger(100)), "SEP50": .refused(.missing)]])
            #expect(try await connection.historyCursor("SEP41") == "100")
        }
    }

    /// What a crash takes of these commits, cursor and rows together, is done again: waiting for the disk would only cost time.
    @Test func theCommitDoesNotWaitForTheDiskWhateverTheDefault() async throws {
        try await withSettingsNoted(synchronousCommit: "on") { connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.forgetSettings()
            let commit = StateChangeCommit(ledgers: 100...109, rows: [Tuples.rows("SEP41", ledgers: 100...109)])
            #expect(try await commit.run(on: connection).storedRows == 10)
            #expect(try await connection.notedSettings() == ["off"])
        }
    }
}
