import PostgreSQL
import TestSupport
import Testing

/// One migration per protocol at a time, of this program or the Go tool, and one writer: for every protocol, not only the first.
@Suite(.timeLimit(.minutes(5))) struct MigrationLockTests {
    @Test(arguments: [
        "wallet-backend-migrate-protocol_SEP41_history_cursor", "wallet-backend-migrate-protocol_SEP50_history_cursor",
        "wallet-backend-history-SEP41", "wallet-backend-history-SEP50",
    ])
    func eachLockThatIsHeldKeepsAMigrationOutAndNamesItsHolder(lock: String) async throws {
        try await Stage.with { stage in
            let other = try await PostgresConnection.connect(stage.database, applicationName: "another migration")
            try await other.query("SELECT pg_advisory_lock($1)", [Self.key(lock)])
            let before = try await stage.fingerprint()
            let run = try await stage.migrate(exits: 1)
            #expect(run.log.contains(lock) && run.log.contains("another migration"), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func whileItRunsEveryLockOfEveryProtocolIsHeld() async throws {
        try await Stage.with { stage in
            let live = try await HandoffTests.lockLiveIngestion(stage)
            let run = try stage.migration()
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            for id in ["SEP41", "SEP50"] {
                for (lock, holder) in [
                    ("wallet-backend-migrate-protocol_\(id)_history_cursor", "wallet-backend migration"),
                    ("wallet-backend-history-\(id)", "wallet-backend migration"),
                    ("wallet-backend-writer-protocol_\(id)_history_cursor", "wallet-backend writer"),
                ] {
                    let rows = try await stage.connection.query(
                        """
                        SELECT application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()
                          AND (l.classid::bigint << 32 | l.objid::bigint) = $1::bigint
                        """, [Self.key(lock)])
                    #expect(rows.count == 1 && rows.first?[0]?.hasPrefix(holder) == true, "\(lock): \(rows)")
                }
            }
            await live.close()
            #expect(await run.exit() == 0, "\(run.log)")
        }
    }

    /// FNV-1a 64 as a signed number, written again: the code under test must agree with it.
    static func key(_ name: String) -> String {
        "\(Int64(bitPattern: name.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }))"
    }
}
