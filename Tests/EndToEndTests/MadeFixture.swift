import Foundation
import TestSupport
import Testing

extension Fixture {
    /// Runs a body with a folder of ledgers made for it: small ones, from 1000 on.
    static func withMade<Result>(
        seed: UInt64, count: Int, events: Int, _ body: (Fixture) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ledgers-\(seed)-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let make = try RunningProgram(
            "ledger-simulator",
            [
                "make", "--seed", "\(seed)", "--first", "1000", "--count", "\(count)", "--events", "\(events)", "--ledger-bytes", "0",
                "--out",
                folder.path,
            ])
        #expect(await make.exit() == 0, "\(make.log)")
        return try await body(Fixture(folder))
    }

    /// The first ledger in which a contract, in hex, changes anything; nil where it never does.
    func firstLedger(of contract: String) -> Int? {
        expected.filter { $0.columns["token_id"] == "\\x10" + contract }.map(\.ledger).min()
    }
}
