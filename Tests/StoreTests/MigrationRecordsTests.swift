import PostgreSQL

import StateChanges
import Store
import TestSupport
import Testing

/// What validation reads, and what the begin of a migration writes.
@Suite(.timeLimit(.minutes(5))) struct MigrationRecordsTests {
    @Test func prerequisitesAreReadAsTheyAre() async throws {
        try await withStore { _, connection in
            try await connection.query(
                "UPDATE protocols SET classification_status = 'success', history_migration_status = 'failed' WHERE id = 'SEP41'")
            try await connection.setCursor("my_oldest", "100")
            try await connection.setHistoryCursor("SEP50", "seven")
            let names = CursorNames(oldest: "my_oldest", latest: "my_latest")
            let found = try await MigrationPrerequisites.read(["SEP41", "SEP50", "NONE"], names: names, on: connection)
            #expect(found.records["SEP41"]?.classificationStatus == .success)
            #expect(found.records["SEP41"]?.historyMigrationStatus == .failed)
            #expect(found.records["SEP50"]?.classificationStatus == .notStarted)
            #expect(found.records["NONE"] == nil)
            #expect(found.oldest == .ledger(100))
            #expect(found.latest == .missing)
            #expect(found.historyCursors == ["SEP41": .missing, "SEP50": .malformed("seven"), "NONE": .missing])
        }
    }

    @Test func anUnknownStatusIsNamed() async throws {
        try await withStore { _, connection in
            try await connection.execute("ALTER TABLE protocols DROP CONSTRAINT protocols_classification_status_check")
            try await connection.query("UPDATE protocols SET classification_status = 'perhaps' WHERE id = 'SEP41'")
            let error = await #expect(throws: StoreError.self) {
                try await MigrationPrerequisites.read(["SEP41"], names: .init(), on: connection)
            }
            #expect(error == .unknownStatus("SEP41", column: "classification_status", value: "perhaps"))
        }
    }

    @Test(
        arguments: [
            (nil, .created(at: 99), "99"), ("0", .created(at: 99), "99"), ("150", .resumed(at: 150), "150"), ("99", .resumed(at: 99), "99"),
            ("98", .movedForward(from: 98, to: 99), "99"),
        ] as [(String?, CursorStart, String)])
    func eachCursorIsMadeUsable(before: String?, start: CursorStart, after: String) async throws {
        try await withStore { _, connection in
            try await connection.setCursor("oldest_ingest_ledger", "100")
            if let before { try await connection.setHistoryCursor("SEP41", before) }
            let starts = try await MigrationRecords.begin(["SEP41"], names: .init(), on: connection)
            #expect(starts == ["SEP41": start])
            #expect(starts["SEP41"]?.ledger == UInt32(after))
            #expect(try await connection.historyCursor("SEP41") == after)
            #expect(try await connection.historyCursor("SEP50") == nil)
            #expect(try await connection.migrationStatus("SEP41") == "in_progress")
            #expect(try await connection.migrationStatus("SEP50") == "not_started")
        }
    }

    @Test(arguments: [nil, "0"])
    func ingestionMustHaveStarted(oldest: String?) async throws {
        try await withStore { _, connection in
            if let oldest { try await connection.setCursor("oldest_ingest_ledger", oldest) }
            let error = await #expect(throws: StoreError.self) {
                try await MigrationRecords.begin(["SEP41"], names: .init(), on: connection)
            }
            #expect(error == .ingestionNotStarted(key: "oldest_ingest_ledger", oldest == nil ? .missing : .ledger(0)))
            #expect(error?.description.contains("ingestion has not started yet") == true)
            #expect(try await connection.migrationStatus("SEP41") == "not_started")
        }
    }

    @Test(arguments: [("oldest_ingest_ledger", "soon"), ("protocol_SEP50_history_cursor", "3000000000")])
    func aMalformedCursorIsNamedAndNothingWritten(key: String, value: String) async throws {
        try await withStore { _, connection in
            try await connection.setCursor("oldest_ingest_ledger", "100")
            try await connection.setCursor(key, value)
            let error = await #expect(throws: StoreError.self) {
                try await MigrationRecords.begin(["SEP41", "SEP50"], names: .init(), on: connection)
            }
            #expect(error == .malformedCursor(key: key, value: value))
            #expect(try await connection.historyCursor("SEP41") == nil)
            #expect(try await connection.migrationStatus("SEP41") == "not_started")
        }
    }

    @Test func anUnknownProtocolWritesNothing() async throws {
        try await withStore { _, connection in
            try await connection.setCursor("oldest_ingest_ledger", "100")
            await #expect(throws: StoreError.unknownProtocols(["NONE"])) {
                try await MigrationRecords.begin(["SEP41", "NONE"], names: .init(), on: connection)
            }
            #expect(try await connection.historyCursor("SEP41") == nil)
            await #expect(throws: StoreError.unknownProtocols(["NONE"])) {
                try await MigrationRecords.setStatus(.success, ["SEP41", "NONE"], on: connection)
            }
            #expect(try await connection.migrationStatus("SEP41") == "not_started")
        }
    }

    @Test func statusesAreSetPerProtocol() async throws {
        try await withStore { _, connection in
            try await MigrationRecords.setStatus(.success, ["SEP41"], on: connection)
            try await MigrationRecords.setStatus(.failed, ["SEP50"], on: connection)
            try await MigrationRecords.setStatus(.failed, [], on: connection)
            #expect(try await connection.migrationStatus("SEP41") == "success")
            #expect(try await connection.migrationStatus("SEP50") == "failed")
            #expect(try await connection.count("protocols WHERE updated_at > created_at") == 2)
        }
    }

    @Test func aHistoryIsMarkedCompleteOnlyWhereItsCursorStillStandsThere() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "120")
            try await connection.setHistoryCursor("SEP50", "119")
            let complete = try await MigrationRecords.complete(["SEP41": 120, "SEP50": 120], on: connection)
            #expect(complete == ["SEP41"])
            #expect(try await connection.migrationStatus("SEP41") == "success")
            #expect(try await connection.migrationStatus("SEP50") == "not_started")
            try await connection.setHistoryCursor("SEP50", "soon")
            #expect(try await MigrationRecords.complete(["SEP50": 120], on: connection).isEmpty)
            try await connection.setHistoryCursor("SEP50", "121")
            #expect(try await MigrationRecords.complete(["SEP50": 120], on: connection) == ["SEP50"])
            #expect(try await MigrationRecords.complete([:], on: connection).isEmpty)
        }
    }

    @Test func cursorsAreSwappedForwardOnlyFromWhereTheyAreBelievedToStand() async throws {
        try await withStore { _, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.setHistoryCursor("SEP50", "100")
            #expect(try await MigrationRecords.moveForward(from: ["SEP41": 99, "SEP50": 99], to: 149, on: connection) == ["SEP41"])
            #expect(try await connection.historyCursor("SEP41") == "149")
            #expect(try await connection.historyCursor("SEP50") == "100")
            #expect(try await MigrationRecords.moveForward(from: ["SEP41": 149, "NONE": 5], to: 149, on: connection).isEmpty)
            #expect(try await MigrationRecords.moveForward(from: ["SEP41": 149], to: 120, on: connection).isEmpty, "never back")
            #expect(try await connection.historyCursor("SEP41") == "149")
            #expect(try await connection.historyCursor("NONE") == nil)
        }
    }

    /// What a migration marks must not be undone by a crash: nobody would notice.
    @Test(arguments: ["begin", "moveForward", "setStatus", "complete"])
    func eachMarkWaitsForTheDiskWhateverTheDefault(mark: String) async throws {
        try await withSettingsNoted(synchronousCommit: "off") { connection in
            try await connection.setCursor("oldest_ingest_ledger", "100")
            try await connection.setHistoryCursor("SEP41", "120")
            try await connection.forgetSettings()
            switch mark {
            case "begin": _ = try await MigrationRecords.begin(["SEP41", "SEP50"], names: .init(), on: connection)
            case "moveForward": #expect(try await MigrationRecords.moveForward(from: ["SEP41": 120], to: 130, on: connection) == ["SEP41"])
            case "setStatus": try await MigrationRecords.setStatus(.failed, ["SEP41"], on: connection)
            default: #expect(try await MigrationRecords.complete(["SEP41": 120], on: connection) == ["SEP41"])
            }
            #expect(try await connection.notedSettings() == ["on"])
        }
    }
}
