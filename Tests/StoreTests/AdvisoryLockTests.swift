import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing

/// Locks between sessions, and who holds them.
@Suite(.timeLimit(.minutes(5))) struct AdvisoryLockTests {
    @Test func theRefusalOfTheSecondNamesTheFirst() async throws {
        try await withEmptyDatabase { address in
            let first = try await connect(address, as: "the first migration")
            let second = try await connect(address, as: "the second migration")
            let name = try #require(AdvisoryLock.migrationNames("SEP41").first)
            try await AdvisoryLock.acquire(name, on: first)
            let error = await #expect(throws: StoreError.self) { try await AdvisoryLock.acquire(name, on: second) }
            guard case .lockHeld(name, let holders) = error else {
                Issue.record("not a held lock: \(String(describing: error))")
                return
            }
            let pid = await first.backendPID
            #expect(holders.map(\.pid) == [pid])
            #expect(holders.first?.applicationName == "the first migration")
            #expect(holders.first?.clientAddress == nil)
            #expect(error?.description.contains("the first migration") == true)
            // Another protocol's is free, and so is this one once it was let go.
            for other in AdvisoryLock.migrationNames("SEP50") { try await AdvisoryLock.acquire(other, on: second) }
            #expect(try await AdvisoryLock.release(name, on: first))
            try await AdvisoryLock.acquire(name, on: second)
            #expect(try await !AdvisoryLock.release(name, on: first))
        }
    }

    /// The numbers are what the Go tool computes: FNV-1a 64 of the name, as a signed number.
    @Test func theNamesAndKeysAreThoseThatOthersKnow() {
        #expect(
            AdvisoryLock.migrationNames("SEP41") == [
                "wallet-backend-migrate-protocol_SEP41_history_cursor", "wallet-backend-history-SEP41",
            ])
        #expect(AdvisoryLock.key(for: "wallet-backend-history-SEP41") == 3_765_383_363_378_513_446)
        #expect(AdvisoryLock.key(for: "wallet-backend-history-SEP50") == 3_764_533_440_890_095_568)
        #expect(
            AdvisoryLock.writerNames(["SEP50", "SEP41", "SEP50"]) == [
                "wallet-backend-writer-protocol_SEP41_history_cursor", "wallet-backend-writer-protocol_SEP50_history_cursor",
            ])
    }

    @Test func aNewWriterWaitsUntilTheOldSessionIsGone() async throws {
        try await withEmptyDatabase { address in
            let old = try await connect(address, as: "old writer")
            let new = try await connect(address, as: "new writer")
            let observer = try await connect(address)
            let newPID = try #require(await new.backendPID)
            let name = try #require(AdvisoryLock.writerNames(["SEP41"]).first)
            try await AdvisoryLock.acquire(name, waitingAtMost: .seconds(1), on: old, logger: quiet)
            let error = await #expect(throws: StoreError.self) {
                try await AdvisoryLock.acquire(name, waitingAtMost: .milliseconds(1), on: new, logger: quiet)
            }
            #expect(error?.description.contains("old writer") == true)

            let waiting = Task { try await AdvisoryLock.acquire(name, waitingAtMost: .seconds(3600), on: new, logger: quiet) }
            try await observer.waitUntilBlocked(backend: newPID)
            await old.close()
            try await waiting.value
            #expect(try await AdvisoryLock.holders(of: name, on: observer).map(\.pid) == [newPID])
            // The limit of the wait does not stay with the session.
            #expect(try await new.query("SHOW lock_timeout")[0][0] == "0")
        }
    }

    @Test func liveIngestionRunsWhileItsLockIsHeldInThisDatabase() async throws {
        try await withEmptyDatabase { address in
            let live = try await connect(address, as: "live ingestion")
            let connection = try await connect(address)
            #expect(try await !LiveIngestion.isRunning(network: "pubnet", on: connection))
            try await live.query("SELECT pg_advisory_lock($1)", [String(AdvisoryLock.key(for: "wallet-backend-ingest-pubnet"))])
            #expect(try await LiveIngestion.isRunning(network: "pubnet", on: connection))
            #expect(try await !LiveIngestion.isRunning(network: "testnet", on: connection))
            try await withEmptyDatabase { other in
                let elsewhere = try await connect(other)
                #expect(try await !LiveIngestion.isRunning(network: "pubnet", on: elsewhere))
            }
            await live.close()
            try await connection.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'live ingestion')")
            #expect(try await !LiveIngestion.isRunning(network: "pubnet", on: connection))
        }
    }

    /// pg_locks shows a 64-bit key as two unsigned halves.
    @Test(arguments: ["wallet-backend-ingest-pubnet", "wallet-backend-ingest-testnet", "a", "foobar", ""])
    func keysOfEitherSignAreFound(name: String) async throws {
        try await withEmptyDatabase { address in
            let connection = try await connect(address)
            try await AdvisoryLock.acquire(name, on: connection)
            #expect(try await AdvisoryLock.holders(of: name, on: connection).count == 1)
        }
    }
}
