import Foundation
import TestSupport
import Testing

/// What the other tests lean on.
@Suite struct RunningProgramTests {
    @Test func aStoppedProgramIsSeenToStandStill() async throws {
        let program = try RunningProgram(
            executable: URL(filePath: "/bin/sh"), ["-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"])
        try #require(await program.line(containing: "ready") != nil)
        let busy = try RunningProgram(executable: URL(filePath: "/bin/sh"), ["-c", "while :; do :; done"])
        for one in [program, busy] {
            try await one.suspend()
            let state = try String(contentsOfFile: "/proc/\(one.pid)/stat", encoding: .utf8)
            #expect(state.contains(") T "))
        }
        program.send(SIGTERM)
        program.resume()
        #expect(await program.exit() == 0)
        busy.send(SIGKILL)
        #expect(await busy.exit() == 128 + SIGKILL)
        await #expect(throws: StillRunning.self) { try await suspendProcess(busy.pid) }
    }

    @Test func aWaitHasALimitAndAName() async throws {
        try await withKnownIssue {
            let program = try RunningProgram(executable: URL(filePath: "/bin/sh"), ["-c", "echo said; exec sleep 1000"])
            _ = await program.line(containing: "said")
            #expect(await program.line(containing: "never", within: .milliseconds(50)) == nil)
            #expect(await program.exit() == 128 + SIGKILL)
        } matching: { issue in
            let text = "\(issue)"
            return text.contains("never") && text.contains("said") && text.contains("was killed")
        }
    }

    @Test func anEndThatDoesNotComeIsMade() async throws {
        await withKnownIssue {
            let program = try RunningProgram(executable: URL(filePath: "/bin/sleep"), ["1000"])
            #expect(await program.exit(within: .milliseconds(50)) == 128 + SIGKILL)
        }
    }
}
