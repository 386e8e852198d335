import Pipeline
import PostgreSQL
import Protocols
import TestSupport
import Testing

/// What the writer makes of deliveries that come too early or too late: two sockets bring it epochs and rows, in any order.
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

    private static func isCommit(_ message: WorkerMessage) -> Bool { if case .committed = message { true } else { false } }

    /// A fetcher can be done with a batch before the writer has heard of the epoch.
    @Test func aDeliveryBeforeItsEpochIsCommittedWhenTheEpochBegins() async throws {
        try await Self.with { stage, writer in
            try writer.deliver(1000...1004, epoch: 1)
            _ = try #require(await writer.program.line(containing: "delivery is early"), "\(writer.program.log)")
            writer.send(.commit(epoch: 1, cursors: ["SEP41": 999]))
            let answers = try await writer.answer(Self.isCommit)
            #expect(answers.first == .received(epoch: 1, batch: 1000, bytes: 0))
            #expect(try await stage.cursor("SEP41") == "1004")
        }
    }

    /// Whatever belongs to an earlier epoch, another run or a fetcher that was given up is dropped, however well it would fit.
    @Test func aDeliveryOfAnEarlierEpochOrAnotherRunOrADeadFetcherIsDropped() async throws {
        try await Self.with { stage, writer in
            writer.send(.commit(epoch: 2, cursors: ["SEP41": 999]))
            try writer.deliver(1000...1001, epoch: 2)
            try await writer.answer(Self.isCommit)
            try writer.deliver(1002...1003, epoch: 1)
            _ = try #require(await writer.program.line(containing: "it is of epoch 1"), "\(writer.program.log)")
            try writer.deliver(1002...1003, run: RunID(rawValue: "another"), epoch: 2)
            _ = try #require(await writer.program.line(containing: "it is of run another"), "\(writer.program.log)")
            // The number of a fetcher that is given up is told on the other socket: it is certain only once the writer answers what came after.
            writer.send(.giveUp(worker: 2))
            writer.send(.halt)
            try await writer.answer { $0 == .stopped }
            writer.send(.commit(epoch: 3, cursors: ["SEP41": 1001]))
            try writer.deliver(1002...1003, epoch: 3)
            _ = try #require(await writer.program.line(containing: "given up for dead"), "\(writer.program.log)")
            #expect(try await stage.cursor("SEP41") == "1001")
        }
    }
}
