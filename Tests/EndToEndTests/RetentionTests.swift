import Foundation
import PostgreSQL
import TestSupport
import Testing

/// Retention moves on while a migration runs: nothing is written of the ledgers that are no longer kept, and everything of the others.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RetentionTests {
    private static let small = ["--batch-size", "1", "--log-level", "debug", "--fetchers", "1"]
    private static let oldest: UInt32 = 1015

    /// Retention has dropped ledgers, and live ingestion has come to the latest one given.
    private static func move(_ stage: Stage, to oldest: UInt32 = oldest, latest: UInt32? = nil) async throws {
        try await stage.connection.query(
            """
            UPDATE ingest_store SET value = CASE key WHEN 'oldest_ingest_ledger' THEN $1 ELSE COALESCE($2, value) END
            WHERE key IN ('oldest_ingest_ledger', 'latest_ingest_ledger')
            """,
            ["\(oldest)", latest.map { "\($0)" }])
    }

    /// Expects the rows of the ledgers up to this one and from the oldest one on, and a migration that has ended well.
    private static func expectEnd(_ stage: Stage, through last: UInt32, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await stage.expectRows(
            stage.fixture.expected.filter { $0.ledger <= last || $0.ledger >= oldest }, sourceLocation: sourceLocation)
        for id in ["SEP41", "SEP50"] {
            #expect(try await stage.cursor(id) == "\(stage.fixture.ledgers.upperBound)", sourceLocation: sourceLocation)
            #expect(try await stage.status(id) == "success", sourceLocation: sourceLocation)
        }
    }

    /// Waits until the swap forward of a protocol's cursor is said, with these numbers.
    private static func untilMoved(
        _ run: RunningProgram, _ id: String, from: UInt32, to: UInt32 = oldest - 1, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let line = await run.line { $0.contains("cursor swapped forward") && $0.contains("protocol=\(id)") }
        let said = try #require(line, "\(run.log)", sourceLocation: sourceLocation)
        #expect(
            said.contains("level=notice") && said.contains("from=\(from) ") && said.contains(" to=\(to)")
                && said.contains("have no state changes"), "\(said)", sourceLocation: sourceLocation)
    }

    @Test func inTheMidstOfARoundWhatWasDroppedIsNeitherFetchedNorWrittenAnyMore() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            try await Self.move(stage)
            for id in ["SEP41", "SEP50"] { try await Self.untilMoved(run, id, from: 1009) }
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            try await Self.expectEnd(stage, through: 1009)
            let after = run.lines.drop { !$0.contains("cursor swapped forward") }
            for ledger in 1010..<Self.oldest { #expect(!after.contains { $0.contains("batches leased") && $0.contains(":\(ledger)-") }) }
        }
    }

    /// The writer waits for a cursor: when it has it, its ledgers are no longer kept.
    @Test func aTransactionThatFindsItsLedgersDroppedWritesNothing() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            let hand = try await stage.stopWriterInTransaction(run)
            try await Self.move(stage)
            await hand.close()
            for id in ["SEP41", "SEP50"] { try await Self.untilMoved(run, id, from: 1009) }
            #expect(await run.exit() == 0, "\(run.log)")
            try await Self.expectEnd(stage, through: 1009)
        }
    }

    /// The writer has seen that its ledgers are kept, and waits for the table.
    @Test func theTransactionThatWasUnderWayIsTheLastBelowTheOldestLedger() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            let hand = try await stage.hand("LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE")
            try await stage.release()
            try await stage.untilWriterIsBlocked(run)
            try await Self.move(stage)
            _ = try #require(await run.line(containing: "waiting for the writer to finish its transaction"), "\(run.log)")
            await hand.close()
            #expect(await run.exit() == 0, "\(run.log)")
            let last = try #require(try await stage.rows().map(\.ledger).filter { $0 < Self.oldest }.max())
            #expect(last >= 1010)
            try await Self.expectEnd(stage, through: UInt32(last))
            if last + 1 < Self.oldest { try await Self.untilMoved(run, "SEP41", from: UInt32(last)) }
        }
    }

    @Test func atTheTipTheNextRoundBeginsBehindWhatWasDropped() async throws {
        try await Stage.with { stage in
            try await Self.move(stage, to: 1000, latest: 1009)
            let live = try await HandoffTests.lockLiveIngestion(stage)
            let run = try stage.migration(Self.small)
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            // All that there is was dropped, and nothing of it is still to be done.
            try await Self.move(stage, to: 1010)
            try await Self.move(stage, latest: 1019)
            for id in ["SEP41", "SEP50"] { try await Self.untilMoved(run, id, from: 1009) }
            await live.close()
            #expect(await run.exit() == 0, "\(run.log)")
            #expect(run.log.components(separatedBy: "cursor swapped forward").count == 3, "once for each: \(run.log)")
            try await Self.expectEnd(stage, through: 1009)
        }
    }

    /// Retention is ahead of live ingestion: there is nothing to migrate, and the cursor stays where live ingestion finds it.
    @Test func whatLiveIngestionStoresBelowTheOldestLedgerIsPassedBy() async throws {
        try await Stage.with { stage in
            try await Self.move(stage, to: 1000, latest: 1009)
            let live = try await HandoffTests.lockLiveIngestion(stage)
            let run = try stage.migration(Self.small)
            _ = try #require(await run.line(containing: "but live ingestion "), "\(run.log)")
            try await Self.move(stage, to: 1030, latest: 1012)
            for id in ["SEP41", "SEP50"] { try await Self.untilMoved(run, id, from: 1009, to: 1012) }
            await live.close()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= 1009 })
            #expect(try await stage.cursor("SEP41") == "1012")
            #expect(try await stage.status("SEP41") == "success")
        }
    }

    @Test func aCoordinatorThatIsKilledRightAfterItsSwapForwardIsFollowedByARunThatGoesOnThere() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let first = try stage.migration(Self.small)
            try await stage.untilHeld(first)
            try await Self.move(stage)
            try await stage.reach(
                "(SELECT count(*) = 2 FROM ingest_store WHERE key LIKE 'protocol%history_cursor' AND value = '\(Self.oldest - 1)')", first)
            first.send(SIGKILL)
            _ = await first.exit()
            try await stage.release()
            let second = try await stage.migrate(Self.small)
            #expect(second.log.contains("resuming after ledger \(Self.oldest - 1)"), "\(second.log)")
            try await Self.expectEnd(stage, through: 1009)
        }
    }

    /// Without a number there is no limit: what was begun goes on.
    @Test(arguments: ["DELETE FROM ingest_store", "UPDATE ingest_store SET value = 'soon'", "UPDATE ingest_store SET value = '0'"])
    func anOldestLedgerThatIsNoneStopsNothing(script: String) async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let run = try stage.migration(Self.small)
            try await stage.untilHeld(run)
            try await stage.connection.execute(script + " WHERE key = 'oldest_ingest_ledger'")
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
        }
    }
}
