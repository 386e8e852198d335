import Foundation
import Operations
import TestSupport
import Testing

/// Real processes: a signal belongs to a whole process.
@Suite struct SignalTests {
    @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")])
    func theFirstSignalIsARequest(signal: Int32, name: String) async throws {
        let program = try RunningProgram("operations-probe", ["end-after-signal"])
        try #require(await program.line(containing: "ready") != nil)
        program.send(signal)
        #expect(await program.line(containing: name) != nil)
        #expect(await program.exit(within: .seconds(60)) == 0)
        #expect(program.lines(containing: "ended at once").isEmpty)
    }

    @Test(arguments: [(SIGTERM, "SIGTERM", Int32(143)), (SIGINT, "SIGINT", 130)])
    func aProcessThatHangsIsEndedAfterTheLimit(signal: Int32, name: String, status: Int32) async throws {
        let program = try RunningProgram("operations-probe", ["hang", "0.5"])
        try #require(await program.line(containing: "ready") != nil)
        program.send(signal)
        #expect(await program.exit(within: .seconds(60)) == status)
        let said = program.lines(containing: "ended at once")
        #expect(said.count == 1)
        #expect(said.first?.contains("level=error") == true)
        #expect(said.first?.contains("the end took longer than 0.5 seconds: ended at once; the database decides") == true)
        #expect(said.first?.contains("signal=\(name)") == true)
    }

    @Test func theSecondSignalEndsAtOnce() async throws {
        // The limit is beyond the test's: only the second signal can end it.
        let program = try RunningProgram("operations-probe", ["hang", "86400"])
        try #require(await program.line(containing: "ready") != nil)
        program.send(SIGINT)
        // Another kind: the two are not merged, wherever the first one is.
        program.send(SIGTERM)
        #expect(await program.exit(within: .seconds(60)) == 130)
        #expect(program.lines(containing: "a second signal, SIGTERM, came before the end: ended at once").count == 1)
    }

    @Test func theSameSignalAgainEndsAtOnce() async throws {
        let program = try RunningProgram("operations-probe", ["hang", "86400"])
        try #require(await program.line(containing: "ready") != nil)
        program.send(SIGTERM)
        // Longer than what counts as one request that came twice; however long it really is, the signal is a second one.
        try await Task.sleep(for: .milliseconds(300))
        program.send(SIGTERM)
        #expect(await program.exit(within: .seconds(60)) == 143)
        #expect(program.lines(containing: "a second signal, SIGTERM").count == 1)
    }

    /// The reader of the log hangs as well: nothing may wait for it.
    @Test func aForcedEndNeedsNobodyToReadTheLog() async throws {
        let program = try UnreadProgram("hang", "0.2")
        try #require(try program.readLine() == "ready")
        program.fillStandardError()
        program.send(SIGTERM)
        #expect(try program.exit(within: .seconds(60)) == 143)
    }
}
