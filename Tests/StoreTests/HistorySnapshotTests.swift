import PostgreSQL
import Protocols
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
            let both = try await HistorySnapshot.read(["SEP41", "SEP50"], names: .init(), on: connection)
            #expect(both.latest == .ledger(200))
            #expect(both.oldest == .missing)
            #expect(both.historyCursors == ["SEP41": .ledger(150), "SEP50": .missing])
            #expect(try both.trackedContracts == ["SEP41": [Self.hash("01"), Self.hash("f9")], "SEP50": [Self.hash("02")]])
            let one = try await HistorySnapshot.read(["SEP50"], names: .init(), on: connection)
            #expect(try one.trackedContracts == ["SEP50": [Self.hash("02")]])
            let none = try await HistorySnapshot.read(["SEP41"], names: .init(), withContracts: false, on: connection)
            #expect(none.trackedContracts == nil)
        }
    }

    @Test func contractIDsOfOtherLengthsAreNamed() async throws {
        try await withStore { _, connection in
            try await connection.execute(
                Self.wasms + Self.contract("ab", wasm: "01", length: 33) + Self.contract("cd", wasm: "02", length: 4))
            let error = await #expect(throws: StoreError.self) {
                try await HistorySnapshot.read(["SEP41", "SEP50"], names: .init(), on: connection)
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
            let reading = Task { try await HistorySnapshot.read(["SEP41"], names: .init(), on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await live.execute(
                "UPDATE ingest_store SET value = '201' WHERE key = 'latest_ingest_ledger';" + Self.contract("02", wasm: "01") + "COMMIT")
            let snapshot = try await reading.value
            #expect(snapshot.latest == .ledger(200))
            #expect(try snapshot.trackedContracts == ["SEP41": [Self.hash("01")]])
            let next = try await HistorySnapshot.read(["SEP41"], names: .init(), on: connection)
            #expect(next.latest == .ledger(201))
            #expect(next.trackedContracts?["SEP41"]?.count == 2)
        }
    }
}
