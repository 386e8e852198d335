import Foundation
import Pipeline
import PostgreSQL
import StateChanges
import TestSupport
import Testing

/// What the writer as a process makes of parts that come too early, too late or unasked: two sockets bring it rounds and rows, in any order.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DeliveryTests {
    private static func with(_ body: (Stage, WriterAlone) async throws -> Void) async throws {
        try await Stage.with { stage in
            try await stage.connection.execute("INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', '999')")
            let writer = try await WriterAlone(stage)
            do {
                try await body(stage, writer)
                await writer.end()
            } catch {
                await writer.end()
                throw error
            }
        }
    }

    private static func isCommit(_ message: WriterMessage) -> Bool { if case .committed = message { true } else { false } }

    /// A fetcher can be done with a part before the writer has heard of the round.
    @Test func anOfferBeforeItsRoundIsAskedForWhenTheRoundBegins() async throws {
        try await Self.with { stage, writer in
            let part = writer.part(1000...1004, round: 1)
            try writer.offer(part)
            _ = try #require(await writer.program.line(containing: "part is early"), "\(writer.program.log)")
            try writer.send(.writer(.begin(round: 1, cursors: ["SEP41": 999], oldestName: "oldest_ingest_ledger")))
            #expect(try await writer.reply() == .send(round: 1, number: 1000))
            try writer.bring(part)
            let reports = try await writer.report(Self.isCommit)
            #expect(reports.first == .received(round: 1, ledgers: 1000...1004, bytes: 0))
            #expect(try await stage.cursor("SEP41") == "1004")
        }
    }

    /// Whatever belongs to an earlier round, another run or a fetcher that was given up is dropped, however well it would fit; and so is what nobody asked for.
    @Test func aPartOfAnEarlierRoundOrAnotherRunOrADeadFetcherIsDropped() async throws {
        try await Self.with { stage, writer in
            try writer.send(.writer(.begin(round: 2, cursors: ["SEP41": 999], oldestName: "oldest_ingest_ledger")))
            let part = writer.part(1000...1001, round: 2)
            try writer.offer(part)
            // The reply tells that the writer has heard of the round, which comes by the other socket.
            #expect(try await writer.reply() == .send(round: 2, number: 1000))
            try writer.bring(writer.part(1002...1003, round: 2))
            _ = try #require(await writer.program.line(containing: "nobody asked for it"), "\(writer.program.log)")
            try writer.bring(part)
            try await writer.report(Self.isCommit)
            try writer.bring(writer.part(1002...1003, round: 1))
            _ = try #require(await writer.program.line(containing: "it is of round 1"), "\(writer.program.log)")
            try writer.bring(writer.part(1002...1003, run: RunID(rawValue: "another"), round: 2))
            _ = try #require(await writer.program.line(containing: "it is of run another"), "\(writer.program.log)")
            // The number of a fetcher that is given up comes by the other socket: it is certain only once the writer replies to what came after.
            try writer.send(.writer(.giveUp(worker: 2)))
            try writer.send(.writer(.halt(round: 2)))
            try await writer.report { $0 == .stopped(round: 2) }
            // Dropped for its fetcher's sake, whether or not the writer has heard of the round.
            try writer.send(.writer(.begin(round: 3, cursors: ["SEP41": 1001], oldestName: "oldest_ingest_ledger")))
            try writer.bring(writer.part(1002...1003, round: 3))
            _ = try #require(await writer.program.line(containing: "given up for dead"), "\(writer.program.log)")
            #expect(try await stage.cursor("SEP41") == "1001")
        }
    }

    /// A statement that the server cancels is no end: the round is interrupted, the writer is ready again, and the next round commits.
    @Test func aStatementThatTheServerCancelsInterruptsTheRoundOnly() async throws {
        try await Self.with { stage, writer in
            try await stage.connection.execute("BEGIN; UPDATE ingest_store SET value = value WHERE key = 'protocol_SEP41_history_cursor'")
            try writer.send(.writer(.begin(round: 1, cursors: ["SEP41": 999], oldestName: "oldest_ingest_ledger")))
            let part = writer.part(1000...1001, round: 1)
            try writer.offer(part)
            _ = try await writer.reply()
            try writer.bring(part)
            try await stage.connection.waitUntil(
                """
                (SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'wallet-backend writer' AND wait_event_type = 'Lock')
                """)
            let reports = try await writer.report { if case .interrupted = $0 { true } else { false } }
            guard case .interrupted(1, _, permanent: false)? = reports.last else { Issue.record("\(reports)"); return }
            try await stage.connection.execute("ROLLBACK")
            try await writer.report { $0 == .ready }
            try writer.send(.writer(.begin(round: 2, cursors: ["SEP41": 999], oldestName: "oldest_ingest_ledger")))
            let again = writer.part(1000...1001, round: 2)
            try writer.offer(again)
            #expect(try await writer.reply() == .send(round: 2, number: 1000))
            try writer.bring(again)
            try await writer.report(Self.isCommit)
            #expect(try await stage.cursor("SEP41") == "1001")
        }
    }
}
