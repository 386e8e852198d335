import Foundation
import Testing

/// What is generated is what the definitions in the repository give.
struct GeneratedCodeTests {
    private static let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first { FileManager.default.isExecutableFile(atPath: $0) }
    private static let package = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("Generating the skip functions again changes nothing", .enabled(if: python != nil, "needs python3"))
    func nothingChanges() throws {
        let generator = Process()
        generator.executableURL = URL(filePath: try #require(Self.python))
        generator.arguments = [Self.package.appending(path: "Scripts/generate-xdr.py").path, "--check"]
        let output = Pipe()
        generator.standardError = output
        try generator.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        generator.waitUntilExit()
        #expect(generator.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
    }
}
