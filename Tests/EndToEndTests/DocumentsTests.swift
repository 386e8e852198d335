import Foundation
import TestSupport
import Testing

/// What the documents say is what the programs do.
@Suite struct DocumentsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func run(_ script: String, _ arguments: String...) async throws {
        let check = try RunningProgram(executable: root.appendingPathComponent("Scripts/\(script)"), arguments)
        #expect(await check.exit() == 0, "\(check.log)")
    }

    /// Every message of level warning and above is explained, every metric described, and every link leads somewhere.
    @Test func everyMessageMetricAndLink() async throws { try await Self.run("check-docs.py") }

    /// The files of compose/, with the tools that are installed: supervisord's, systemd's, Prometheus' own.
    @Test func theFilesOfSupervisorsAndMonitoring() async throws { try await Self.run("check-compose.sh") }

    /// docs/reference.md is what the programs say of their flags: `make reference` writes it anew.
    @Test func theReferenceIsThatOfThePrograms() async throws { try await Self.run("reference.py", RunningProgram.folder.path, "--check") }
}
