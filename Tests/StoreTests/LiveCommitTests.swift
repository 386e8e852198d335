import PostgreSQL
import Protocols
import StateChanges
import StellarXDR
import Store
import Synchronization
import TestSupport
import Testing

/// Live ingestion's transaction.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LiveCommitTests {
    private static let both: [ProtocolID] = ["SEP41", "SEP50"]
    private static let currentState = "protocol_SEP41_current_state_cursor"

    private static func commit(_ ledger: UInt32, isFirst: Bool = false, processors: [ProtocolID] = both) -> LiveCommit {
        LiveCommit(ledger: ledger, isFirst: isFirst, names: CursorNames(), processors: processors)
    }

    /// What came of a commit, in a form that a test can write down.
    struct Outcome: Sendable, Equatable {
        var advanced: [ProtocolID: Int] = [:]
        var passedBy: [ProtocolID: CursorReading] = [:]
        var unknown: Set<ProtocolID> = []

        init(advanced: [ProtocolID: Int] = [:], passedBy: [ProtocolID: CursorReading] = [:], unknown: Set<ProtocolID> = []) {
            self.advanced = advanced
            self.passedBy = passedBy
            self.unknown = unknown
        }

        init(_ result: LiveCommit.Result) {
            self.init(advanced: result.advanced, passedBy: result.passedBy, unknown: result.unknown)
        }
    }

    /// Two state changes for SEP41, one for SEP50.
    private static func rows(_ id: ProtocolID, _ ledger: UInt32) -> StateChangeRows {
        id == "SEP50"
            ? Tuples.rows(id, ledgers: ledger...ledger, base: 3 << 40) : Tuples.rows(id, ledgers: ledger...ledger, perLedger: 2)
    }

    /// Runs a commit whose rows are those above, for whichever protocols they are asked for.
    @discardableResult
    private static func run(_ commit: LiveCommit, on connection: PostgresConnection) async throws(LiveCommitError) -> Outcome {
        Outcome(try await commit.run(on: connection, contracts: .success([])) { ids, _ in ids.map { rows($0, commit.ledger) } })
    }

    /// The error of a commit, which must be the store's.
    private static func failure(_ commit: LiveCommit, on connection: PostgresConnection) async -> StoreError? {
        let error = await #expect(throws: LiveCommitError.self) { try await run(commit, on: connection) }
        guard case .store(let cause) = error else { return nil }
        return cause
    }

    /// Live ingestion has come to ledger 99.
    private static func withLatest99(_ body: (ConnectionString, PostgresConnection) async throws -> Void) async throws {
        try await withStore { address, connection in
            try await connection.setCursor("oldest_ingest_ledger", "50")
            try await connection.setCursor("latest_ingest_ledger", "99")
            try await body(address, connection)
        }
    }

    private static func cursors(_ connection: PostgresConnection) async throws -> [String: String] {
        Dictionary(
            try await connection.query("SELECT key, value FROM ingest_store").map { ($0["key"] ?? "", $0["value"] ?? "") },
            uniquingKeysWith: { first, _ in first })
    }

    // MARK: the ledger's own cursors

    @Test(arguments: [(nil, nil), ("0", "0"), ("0", nil), (nil, "0")] as [(String?, String?)])
    func theFirstLedgerOfAnEmptyDatabaseSetsBothCursors(oldest: String?, latest: String?) async throws {
        try await withStore { _, connection in
            if let oldest { try await connection.setCursor("oldest_ingest_ledger", oldest) }
            if let latest { try await connection.setCursor("latest_ingest_ledger", latest) }
            let result = try await Self.run(Self.commit(100, isFirst: true), on: connection)
            #expect(result == Outcome())
            #expect(try await Self.cursors(connection) == ["oldest_ingest_ledger": "100", "latest_ingest_ledger": "100"])
            #expect(await connection.perform { $0.isInTransaction } == false)
        }
    }

    @Test func otherNamesOfTheCursorsAreUsed() async throws {
        try await withStore { _, connection in
            let names = CursorNames(oldest: "from", latest: "to")
            try await Self.run(LiveCommit(ledger: 100, isFirst: true, names: names, processors: []), on: connection)
            try await Self.run(LiveCommit(ledger: 101, isFirst: false, names: names, processors: []), on: connection)
            #expect(try await Self.cursors(connection) == ["from": "100", "to": "101"])
        }
    }

    @Test(arguments: [("50", "99"), (nil, "99"), ("50", nil), ("0", "99"), ("50", "0"), ("x", "0")] as [(String?, String?)])
    func aFirstLedgerIsRefusedWhereSomethingWasIngested(oldest: String?, latest: String?) async throws {
        try await withStore { _, connection in
            if let oldest { try await connection.setCursor("oldest_ingest_ledger", oldest) }
            if let latest { try await connection.setCursor("latest_ingest_ledger", latest) }
            try await connection.setHistoryCursor("SEP41", "99")
            let before = try await Self.cursors(connection)
            let error = await Self.failure(Self.commit(100, isFirst: true), on: connection)
            #expect(
                error
                    == .latestElsewhere(
                        key: "latest_ingest_ledger", expected: 0, found: CursorReading(latest), oldest: CursorReading(oldest)))
            #expect(try await Self.cursors(connection) == before)
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    @Test(arguments: ["98", "100", "5000", "0", "099", "soon", nil] as [String?])
    func latestElsewhereIsRefusedWithTheNumbersAndNothingIsWritten(latest: String?) async throws {
        try await withStore { _, connection in
            try await connection.setCursor("oldest_ingest_ledger", "50")
            if let latest { try await connection.setCursor("latest_ingest_ledger", latest) }
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let before = try await Self.cursors(connection)
            let error = await Self.failure(Self.commit(100), on: connection)
            #expect(
                error
                    == .latestElsewhere(
                        key: "latest_ingest_ledger", expected: 99, found: CursorReading(latest), oldest: .ledger(50)))
            let text = try #require(error?.description)
            #expect(text.contains("latest_ingest_ledger") && text.contains("99") && text.contains(latest ?? "missing"), "\(text)")
            #expect(try await Self.cursors(connection) == before)
            #expect(try await connection.count("state_changes") == 0)
            #expect(await connection.perform { $0.isInTransaction } == false)
        }
    }

    @Test(arguments: [0, 2_147_483_648] as [UInt32]) func impossibleLedgersAreRefused(ledger: UInt32) async throws {
        try await withStore { _, connection in
            #expect(await Self.failure(Self.commit(ledger, isFirst: true), on: connection) == .impossibleLedgers(ledger...ledger))
            let written = try await connection.count("ingest_store")
            #expect(written == 0)
        }
    }

    // MARK: the protocols' cursors

    @Test func aCursorRightBeforeGoesAlongWithItsRows() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            #expect(try await Self.run(Self.commit(100), on: connection) == Outcome(advanced: ["SEP41": 2, "SEP50": 1]))
            #expect(try await Self.run(Self.commit(101), on: connection) == Outcome(advanced: ["SEP41": 2, "SEP50": 1]))
            #expect(
                try await Self.cursors(connection) == [
                    "oldest_ingest_ledger": "50", "latest_ingest_ledger": "101", "protocol_SEP41_history_cursor": "101",
                    "protocol_SEP50_history_cursor": "101",
                ])
            #expect(try await connection.count("state_changes WHERE ledger_number = 100 AND state_change_id < 3::bigint << 40") == 2)
            #expect(try await connection.count("state_changes WHERE ledger_number = 101 AND state_change_id > 3::bigint << 40") == 1)
            #expect(try await connection.count("state_changes") == 6)
        }
    }

    @Test func aLedgerWithoutRowsMovesTheCursorToo() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let result = try await Self.commit(100).run(on: connection, contracts: .success([])) { _, _ in [Self.rows("SEP50", 100)] }
            #expect(Outcome(result) == Outcome(advanced: ["SEP41": 0, "SEP50": 1]))
            #expect(try await connection.historyCursor("SEP41") == "100")
            #expect(try await connection.count("state_changes") == 1)
        }
    }

    @Test(arguments: ["98", "100", "5000", "0", "099", "ninety-nine", ""])
    func aCursorElsewhereIsPassedBy(cursor: String) async throws {
        try await Self.withLatest99 { _, connection in
            try await connection.setHistoryCursor("SEP41", cursor)
            let result = try await Self.run(Self.commit(100), on: connection)
            #expect(result == Outcome(passedBy: ["SEP41": CursorReading(cursor)]))
            #expect(try await connection.historyCursor("SEP41") == cursor)
            #expect(try await connection.cursor("latest_ingest_ledger") == "100")
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    /// A migration that begins later creates it: nobody else may.
    @Test func aMissingCursorStaysMissingAndNoRowsAreMade() async throws {
        try await Self.withLatest99 { _, connection in
            // A ledger that cannot be read is no obstacle: nobody asks for its rows.
            let result = try await Self.commit(100).run(on: connection, contracts: .failure(Self.unreadable)) { ids, _ in
                Issue.record("asked for rows of \(ids)")
                return []
            }
            #expect(Outcome(result) == Outcome())
            #expect(
                try await Self.cursors(connection) == ["oldest_ingest_ledger": "50", "latest_ingest_ledger": "100"])
        }
    }

    @Test func protocolsAtDifferentPlacesAreTreatedEachOnItsOwn() async throws {
        try await Self.withLatest99 { _, connection in
            try await connection.setHistoryCursor("SEP41", "70")
            try await connection.setHistoryCursor("SEP50", "99")
            let result = try await Self.commit(100).run(on: connection, contracts: .success([])) { ids, contracts in
                #expect(ids == ["SEP50"] && contracts.keys.sorted() == ["SEP50"])
                // Rows that nobody asked for are not stored.
                return Self.both.map { Self.rows($0, 100) }
            }
            #expect(Outcome(result) == Outcome(advanced: ["SEP50": 1], passedBy: ["SEP41": .ledger(70)]))
            #expect(try await connection.historyCursor("SEP41") == "70")
            #expect(try await connection.historyCursor("SEP50") == "100")
            #expect(try await connection.count("state_changes WHERE state_change_id > 3::bigint << 40") == 1)
            #expect(try await connection.count("state_changes") == 1)
        }
    }

    @Test func aProtocolWithoutAProcessorIsReportedAndLeftAlone() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let first = try await Self.run(Self.commit(100, processors: ["SEP41"]), on: connection)
            #expect(first == Outcome(advanced: ["SEP41": 2], unknown: ["SEP50"]))
            #expect(try await connection.historyCursor("SEP50") == "99")
            // It lags now, as any other.
            let second = try await Self.run(Self.commit(101, processors: ["SEP41"]), on: connection)
            #expect(second == Outcome(advanced: ["SEP41": 2], passedBy: ["SEP50": .ledger(99)]))
            #expect(try await connection.count("state_changes") == 4)
        }
    }

    @Test func aCursorOfAProtocolThatIsNotRegisteredIsNotLookedAt() async throws {
        try await Self.withLatest99 { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.query("DELETE FROM protocols WHERE id = 'SEP41'")
            #expect(try await Self.run(Self.commit(100), on: connection) == Outcome())
            #expect(try await connection.historyCursor("SEP41") == "99")
        }
    }

    @Test func theCurrentStateCursorIsNeverTouched() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            try await connection.setCursor(Self.currentState, "99")
            try await Self.run(Self.commit(100), on: connection)
            #expect(try await connection.cursor(Self.currentState) == "99")
            #expect(try await connection.cursor("protocol_SEP50_current_state_cursor") == nil)
        }
    }

    // MARK: contracts

    /// What is not a ledger.
    private static let unreadable: LedgerProcessingError = {
        do throws(LedgerProcessingError) {
            _ = try LedgerProcessor.contractsWithEvents(in: [UInt8]().span.bytes)
            preconditionFailure("no bytes are a ledger")
        } catch {
            return error
        }
    }()

    private static func id(_ digits: String) throws -> Hash32 { try #require(Hash32(hex: String(repeating: digits, count: 32))) }

    /// Of the contracts that have events, those that are tracked under one of the protocols whose rows are made; none that has no events.
    @Test func onlyTheContractsOfTheLedgerAreLookedUp() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            try await connection.execute(
                """
                INSERT INTO protocol_wasms (wasm_hash, protocol_id) VALUES ('\\x01', 'SEP41'), ('\\x02', 'SEP50'), ('\\x03', NULL);
                INSERT INTO protocol_contracts (contract_id, wasm_hash)
                    VALUES (decode(repeat('aa', 32), 'hex'), '\\x01'), (decode(repeat('bb', 32), 'hex'), '\\x02'),
                           (decode(repeat('cc', 32), 'hex'), '\\x03'), (decode(repeat('dd', 32), 'hex'), '\\x01'),
                           (decode(repeat('00', 32), 'hex'), '\\x01')
                """)
            let seen = Mutex<[ProtocolID: [Hash32]]>([:])
            // ee is nobody's, cc of no protocol.
            let withEvents = Set(try ["aa", "bb", "cc", "ee", "00"].map(Self.id))
            _ = try await Self.commit(100).run(on: connection, contracts: .success(withEvents)) { _, contracts in
                seen.withLock { $0 = contracts }
                return []
            }
            #expect(
                try seen.withLock { $0.mapValues { Set($0) } } == ["SEP41": [Self.id("aa"), Self.id("00")], "SEP50": [Self.id("bb")]])
        }
    }

    /// Whoever classifies contracts commits them before the ledger that deployed them: the transaction must see what was committed while it waited.
    @Test func aContractClassifiedJustBeforeTheCommitIsSeen() async throws {
        try await Self.withLatest99 { address, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let pid = try #require(await connection.backendPID)
            let gate = try await connect(address)
            let other = try await connect(address)
            try await gate.execute("BEGIN; SELECT FROM ingest_store WHERE key = 'latest_ingest_ledger' FOR UPDATE")
            let seen = Mutex<[ProtocolID: [Hash32]]>([:])
            let withEvents: Set<Hash32> = [try Self.id("ab")]
            let committing = Task {
                try await Self.commit(100).run(on: connection, contracts: .success(withEvents)) { _, contracts in
                    seen.withLock { $0 = contracts }
                    return []
                }
            }
            try await other.waitUntilBlocked(backend: pid)
            try await other.execute(
                """
                INSERT INTO protocol_wasms (wasm_hash, protocol_id) VALUES ('\\x01', 'SEP41');
                INSERT INTO protocol_contracts (contract_id, wasm_hash) VALUES (decode(repeat('ab', 32), 'hex'), '\\x01')
                """)
            try await gate.query("ROLLBACK")
            #expect(try await committing.value.advanced == ["SEP41": 0, "SEP50": 0])
            #expect(try seen.withLock { $0 } == ["SEP41": [Self.id("ab")], "SEP50": []])
        }
    }

    /// An id that no event can have is never looked up: live ingestion asks for such ids when it starts.
    @Test func contractIDsThatAreNoneAreNamed() async throws {
        try await withStore { _, connection in
            try await LiveIngestion.refuseMalformedContracts(of: Self.both, on: connection)
            try await connection.execute(
                """
                INSERT INTO protocol_wasms (wasm_hash, protocol_id) VALUES ('\\x01', 'SEP41'), ('\\x03', NULL);
                INSERT INTO protocol_contracts (contract_id, wasm_hash) VALUES ('\\xabcd', '\\x01'), ('\\x1234', '\\x03')
                """)
            await #expect(throws: StoreError.malformedContractIDs(["abcd"], count: 1)) {
                try await LiveIngestion.refuseMalformedContracts(of: Self.both, on: connection)
            }
        }
    }

    @Test func aLedgerThatCannotBeReadIsNotCommittedWhereItsRowsAreWanted() async throws {
        try await Self.withLatest99 { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let error = await #expect(throws: LiveCommitError.self) {
                try await Self.commit(100).run(on: connection, contracts: .failure(Self.unreadable)) { _, _ in [] }
            }
            #expect(error?.description == Self.unreadable.description)
            #expect(try await connection.cursor("latest_ingest_ledger") == "99")
        }
    }

    // MARK: failures

    @Test func anErrorWhileRowsAreMadeRollsEverythingBack() async throws {
        try await Self.withLatest99 { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let before = try await Self.cursors(connection)
            let error = await #expect(throws: LiveCommitError.self) {
                try await Self.commit(100).run(on: connection, contracts: .success([])) { _, _ throws(LedgerProcessingError) in
                    // No processor has this name.
                    _ = try LedgerProcessor(protocols: ["NONE"], tracked: TrackedContracts([:]))
                    return []
                }
            }
            guard case .ledger(let cause) = error, case .unknownProtocol("NONE") = cause.cause else {
                Issue.record("not the ledger's error: \(String(describing: error))")
                return
            }
            #expect(error?.description == cause.description)
            #expect(try await Self.cursors(connection) == before)
            #expect(await connection.perform { $0.isInTransaction } == false)
            // The session is fit for the same ledger again.
            try await Self.run(Self.commit(100), on: connection)
            #expect(try await connection.count("state_changes") == 3)
        }
    }

    @Test func anErrorInAFirstLedgerLeavesTheDatabaseEmpty() async throws {
        try await withStore { _, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let rows = StateChangeRows("SEP41", rowCount: 3, chunks: [Tuples.debits(ledgers: 100...100)])
            let error = await #expect(throws: LiveCommitError.self) {
                try await Self.commit(100, isFirst: true).run(on: connection, contracts: .success([])) { _, _ in
                    [Self.rows("SEP50", 100), rows]
                }
            }
            guard case .store(.rowCountMismatch(100...100, "SEP41", expected: 3, stored: 1)) = error else {
                Issue.record("not the wrong count: \(String(describing: error))")
                return
            }
            #expect(
                try await Self.cursors(connection) == ["protocol_SEP41_history_cursor": "99", "protocol_SEP50_history_cursor": "99"])
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    @Test func rowsThatAreThereAlreadyAreReportedAndRolledBack() async throws {
        try await Self.withLatest99 { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await Self.run(Self.commit(100), on: connection)
            try await connection.setCursor("latest_ingest_ledger", "99")
            try await connection.setHistoryCursor("SEP41", "99")
            guard case .rowsAlreadyThere(100...100, _) = await Self.failure(Self.commit(100), on: connection) else {
                Issue.record("not reported that rows are there")
                return
            }
            #expect(try await connection.cursor("latest_ingest_ledger") == "99")
            #expect(try await connection.historyCursor("SEP41") == "99")
            #expect(try await connection.count("state_changes") == 2)
        }
    }

    // MARK: other sessions

    /// A migration's transaction is under way on a cursor that lags: live ingestion has no time for it.
    @Test func aLaggingCursorThatAnotherSessionHasLockedHoldsNobodyUp() async throws {
        try await Self.withLatest99 { address, connection in
            try await connection.setHistoryCursor("SEP41", "70")
            try await connection.setHistoryCursor("SEP50", "99")
            let migration = try await connect(address)
            try await migration.execute("BEGIN; UPDATE ingest_store SET value = '80' WHERE key = 'protocol_SEP41_history_cursor'")
            // Where it waits all the same, that is an error and no test that hangs.
            try await connection.execute("SET lock_timeout = '5s'")
            let result = try await Self.run(Self.commit(100), on: connection)
            #expect(result == Outcome(advanced: ["SEP50": 1], passedBy: ["SEP41": .ledger(70)]))
            try await migration.query("COMMIT")
            #expect(try await connection.historyCursor("SEP41") == "80")
            #expect(try await connection.cursor("latest_ingest_ledger") == "100")
        }
    }

    @Test(arguments: [
        ("COMMIT", Outcome(advanced: ["SEP50": 1], passedBy: ["SEP41": .ledger(100)]), 1),
        ("ROLLBACK", Outcome(advanced: ["SEP41": 2, "SEP50": 1]), 3),
    ])
    func aReadyCursorThatAnotherSessionMovesIsWaitedFor(end: String, result: Outcome, rows: Int) async throws {
        try await Self.withLatest99 { address, connection in
            for id in Self.both { try await connection.setHistoryCursor(id, "99") }
            let pid = try #require(await connection.backendPID)
            let other = try await connect(address)
            let observer = try await connect(address)
            try await other.execute("BEGIN; UPDATE ingest_store SET value = '100' WHERE key = 'protocol_SEP41_history_cursor'")
            let committing = Task { try await Self.run(Self.commit(100), on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await other.query(end)
            #expect(try await committing.value == result)
            #expect(try await connection.historyCursor("SEP41") == "100")
            #expect(try await connection.count("state_changes") == rows)
        }
    }

    /// Two that believe themselves alone: one of them wins each ledger.
    @Test func ofTwoCommitsOfTheSameLedgerOneIsRefused() async throws {
        try await Self.withLatest99 { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let other = try await connect(address)
            let observer = try await connect(address)
            let gate = try await connect(address)
            let pids = (try #require(await connection.backendPID), try #require(await other.backendPID))
            try await gate.execute("BEGIN; LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE")
            let first = Task { try await Self.run(Self.commit(100), on: connection) }
            try await observer.waitUntilBlocked(backend: pids.0)
            let second = Task { try await Self.run(Self.commit(100), on: other) }
            try await observer.waitUntilBlocked(backend: pids.1)
            try await gate.query("ROLLBACK")
            #expect(try await first.value.advanced == ["SEP41": 2])
            let error = await #expect(throws: LiveCommitError.self) { try await second.value }
            guard case .store(.latestElsewhere(_, expected: 99, found: .ledger(100), oldest: .ledger(50))) = error else {
                Issue.record("not refused: \(String(describing: error))")
                return
            }
            #expect(try await observer.count("state_changes") == 2)
        }
    }

    @Test func aSessionTerminatedInItsCommitHasAnUnknownOutcome() async throws {
        try await Self.withLatest99 { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.execute(
                """
                CREATE TABLE gate (n int);
                CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate; RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON state_changes DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION wait_at_gate()
                """)
            let pid = try #require(await connection.backendPID)
            let gate = try await connect(address)
            let observer = try await connect(address)
            try await gate.execute("BEGIN; LOCK TABLE gate")
            let committing = Task { try await Self.run(Self.commit(100), on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await observer.query("SELECT pg_terminate_backend($1::int)", [String(pid)])
            let error = await #expect(throws: LiveCommitError.self) { try await committing.value }
            guard case .store(let cause) = error else {
                Issue.record("not the store's error")
                return
            }
            #expect(cause.isConnectionGone && cause.isOutcomeUnknown)
            #expect(try await observer.cursor("latest_ingest_ledger") == "99")
            #expect(try await observer.count("state_changes") == 0)
        }
    }

    /// Nothing is done again after a crash as a migration would: what was reported as committed must be there.
    @Test func theCommitWaitsForTheDiskWhateverTheDefault() async throws {
        try await withSettingsNoted(synchronousCommit: "off") { connection in
            try await connection.setCursor("oldest_ingest_ledger", "50")
            try await connection.setCursor("latest_ingest_ledger", "99")
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.forgetSettings()
            try await Self.run(Self.commit(100), on: connection)
            #expect(try await connection.notedSettings() == ["on"])
        }
    }
}
