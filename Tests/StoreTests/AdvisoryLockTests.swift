import PostgreSQL
import Protocols
import Store
import TestSupport
import Testing

/// Locks between sessions, and who holds them.
@Suite(.timeLimit(.minutes(5))) struct AdvisoryLockTests {
    @Test func theSecondIsToldWhoHoldsIt() async throws {
        try await withEmptyDatabase { address in
            let first = try await connect(address, as: "the first migration")
            let second = try await connect(address, as: "the second migration")
            let name = AdvisoryLock.migrationName("SEP41")
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
            try await AdvisoryLock.acquire(AdvisoryLock.migrationName("SEP50"), on: second)
            #expect(try await AdvisoryLock.release(name, on: first))
            try await AdvisoryLock.acquire(name, on: second)
            #expect(try await !AdvisoryLock.release(name, on: first))
        }
    }

    @Test func aNewWriterWaitsUntilTheOldSessionIsGone() async throws {
        try await withEmptyDatabase { address in
            let old = try await connect(address, as: "old writer")
            let new = try await connect(address, as: "new writer")
            let observer = try await connect(address)
            let newPID = try #require(await new.backendPID)
            let name = AdvisoryLock.writerName("SEP41")
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
