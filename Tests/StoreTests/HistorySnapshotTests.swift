import PostgreSQL
import Protocols
import StateChanges
import StellarXDR
import Store
import TestSupport
import Testing

/// The reading that a round starts from.
@Suite(.timeLimit(.minutes(5))) struct HistorySnapshotTests {
    private static let wasms = """
        INSERT INTO protocol_wasms (wasm_hash, protocol_id) VALUES ('\\x01', 'SEP41'), ('\\x02', 'SEP50'), ('\\x03', NULL), ('\\x04', 'SEP41');
        """

    private static func contract(_ digits: String, wasm: String, length: Int = 32) -> String {
        "INSERT INTO protocol_contracts (contract_id, wasm_hash) VALUES ('\\x\(String(repeating: digits, count: length))', '\\x\(wasm)');"
    }

    private static func hash(_ digits: String) throws -> Hash32 { try #require(Hash32(hex: String(repeating: digits, count: 32))) }

    @Test func cursorsAndContractsOfTheProtocolsAskedFor() async throws {
        try await withStore { _, connection in
            try await connection.setCursor("latest_ingest_ledger", "200")
            try await connection.setHistoryCursor("SEP41", "150")
            try await connection.execute(
                Self.wasms + Self.contract("f9", wasm: "04") + Self.contract("01", wasm: "01") + Self.contract("02", wasm: "02")
                    + Self.contract("03", wasm: "03"))
            let both = try await HistorySnapshot.read(["SEP41", "SEP50"], names: .init(), contracts: ContractReader(), on: connection)
            #expect(both.latest == .ledger(200))
            #expect(both.oldest == .missing)
            #expect(both.historyCursors == ["SEP41": .ledger(150), "SEP50": .missing])
            #expect(
                try both.trackedContracts == ContractSet(["SEP41": [Self.hash("01"), Self.hash("f9")], "SEP50": [Self.hash("02")]]))
            let one = try await HistorySnapshot.read(["SEP50"], names: .init(), contracts: ContractReader(), on: connection)
            #expect(try one.trackedContracts == ContractSet(["SEP50": [Self.hash("02")]]))
            let none = try await HistorySnapshot.read(["SEP41"], names: .init(), contracts: nil, on: connection)
            #expect(none.trackedContracts == nil)
        }
    }

    /// Where the bytes of a set lie: two sets with the same place are one.
    private static func place(_ set: ContractSet?) throws -> UnsafeRawPointer? {
        try #require(set).encoded.withUnsafeBytes { $0.baseAddress }
    }

    /// Sorting and hashing a million contracts takes a second: a table that has not changed must not cost it every round.
    @Test func anUnchangedTableGivesTheSameSetAgainAndAChangedOneAnother() async throws {
        try await withStore { _, connection in
            try await connection.execute(Self.wasms + Self.contract("f9", wasm: "04") + Self.contract("01", wasm: "01"))
            let reader = ContractReader()
            func read(_ ids: [ProtocolID] = ["SEP41", "SEP50"]) async throws -> ContractSet? {
                try await HistorySnapshot.read(ids, names: .init(), contracts: reader, on: connection).trackedContracts
            }
            let first = try await read()
            let second = try await read()
            #expect(try Self.place(second) == Self.place(first))
            // Another contract, one that moves to another protocol, and one that goes.
            for (change, expected) in [
                (Self.contract("02", wasm: "02"), ["SEP41": ["01", "f9"], "SEP50": ["02"]]),
                (
                    "UPDATE protocol_contracts SET wasm_hash = '\\x02' WHERE wasm_hash = '\\x04';",
                    ["SEP41": ["01"], "SEP50": ["02", "f9"]]
                ),
                ("DELETE FROM protocol_contracts WHERE wasm_hash = '\\x01';", ["SEP41": [], "SEP50": ["02", "f9"]]),
            ] as [(String, [ProtocolID: [String]])] {
                try await connection.execute(change)
                let changed = try await read()
                #expect(changed == ContractSet(try expected.mapValues { try $0.map(Self.hash) }))
                let again = try await read()
                #expect(try Self.place(again) == Self.place(changed))
            }
            let fewer = try await read(["SEP50"])
            #expect(fewer?.protocols == ["SEP50"] && fewer?.count == 2)
        }
    }

    /// The time is printed and not asserted: it is the machine's. The limit catches what grows with the square of the number.
    @Test func aMillionContractsAreReadInOneValue() async throws {
        try await withStore { _, connection in
            try await connection.execute(
                Self.wasms
                    + "INSERT INTO protocol_contracts (contract_id, wasm_hash) SELECT sha256(n::text::bytea), '\\x01' FROM generate_series(1, 1000000) AS n"
            )
            let reader = ContractReader()
            let times = try await within(.seconds(120), "reading a million contracts twice") {
                var times: [Duration] = []
                for _ in 0..<2 {
                    let began = ContinuousClock.now
                    let snapshot = try await HistorySnapshot.read(["SEP41", "SEP50"], names: .init(), contracts: reader, on: connection)
                    times.append(ContinuousClock.now - began)
                    #expect(snapshot.trackedContracts?.count == 1_000_000)
                }
                return times
            }
            print("reading a million contracts: \(times[0]), unchanged: \(times[1])")
        }
    }

    @Test func contractIDsOfOtherLengthsAreNamed() async throws {
        try await withStore { _, connection in
            try await connection.execute(
                Self.wasms + Self.contract("ab", wasm: "01", length: 33) + Self.contract("cd", wasm: "02", length: 4))
            let error = await #expect(throws: StoreError.self) {
                try await HistorySnapshot.read(["SEP41", "SEP50"], names: .init(), contracts: ContractReader(), on: connection)
            }
            #expect(error == .malformedContractIDs([String(repeating: "ab", count: 33), "cdcdcdcd"], count: 2))
            #expect(error?.description.contains("\\xcdcdcdcd") == true)
        }
    }

    /// The second statement of the snapshot is held up by a lock while another session commits a later ledger together with a contract. A statement
    /// with a snapshot of its own would see that contract.
    @Test func laterCommitsAreNotSeen() async throws {
        try await withStore { address, connection in
            try await connection.setCursor("latest_ingest_ledger", "200")
            try await connection.execute(Self.wasms + Self.contract("01", wasm: "01"))
            let live = try await connect(address, as: "live ingestion")
            let observer = try await connect(address)
            let pid = try #require(await connection.backendPID)
            try await live.execute("BEGIN; LOCK TABLE protocol_contracts IN ACCESS EXCLUSIVE MODE")
            let reading = Task { try await HistorySnapshot.read(["SEP41"], names: .init(), contracts: ContractReader(), on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await live.execute(
                "UPDATE ingest_store SET value = '201' WHERE key = 'latest_ingest_ledger';" + Self.contract("02", wasm: "01") + "COMMIT")
            let snapshot = try await reading.value
            #expect(snapshot.latest == .ledger(200))
            #expect(try snapshot.trackedContracts == ContractSet(["SEP41": [Self.hash("01")]]))
            let next = try await HistorySnapshot.read(["SEP41"], names: .init(), contracts: ContractReader(), on: connection)
            #expect(next.latest == .ledger(201))
            #expect(next.trackedContracts?.count(of: "SEP41") == 2)
        }
    }
}
