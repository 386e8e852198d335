import Foundation
import TestSupport
import PostgreSQL
import Testing

/// The rows in PostgreSQL are the expected ones, whatever the split of the work.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RowsTests {
    @Test(arguments: [(1, 1), (1, 7), (1, 100), (2, 1), (2, 7), (2, 100), (4, 1), (4, 7), (4, 100)])
    func syntheticLedgers(fetchers: Int, batchSize: Int) async throws {
        try await Stage.with { stage in
            try await stage.migrate(["--fetchers", "\(fetchers)", "--batch-size", "\(batchSize)"])
            try await stage.expectComplete()
        }
    }

    @Test func oneProtocolAloneLeavesTheOtherUntouched() async throws {
        try await Stage.with { stage in
            try await stage.migrate(protocols: ["SEP50"])
            try await stage.expectRows(stage.fixture.expected.filter { $0.stateChangeID > 3 << 40 })
            #expect(try await stage.cursor("SEP41") == nil)
            #expect(try await stage.status("SEP41") == "not_started")
        }
    }

    /// Folders of further seeds, made by the independent encoder: `MADE_LEDGERS` names a folder of such folders.
    @Test(.enabled(if: Self.folders.isEmpty == false, "MADE_LEDGERS names no folder of ledgers"), arguments: Self.folders)
    func furtherSeeds(folder: URL) async throws {
        let fixture = try Fixture(folder)
        for fetchers in [1, 2, 4] {
            for batchSize in [1, 7, 100] {
                try await Stage.with(fixture) { stage in
                    try await stage.migrate(["--fetchers", "\(fetchers)", "--batch-size", "\(batchSize)"])
                    try await stage.expectComplete()
                }
            }
        }
    }

    /// Real ledgers of the public network, which are not ours to ship: `PUBNET_LEDGERS` names their folder.
    @Test(.enabled(if: Self.pubnet != nil, "PUBNET_LEDGERS is not set"), arguments: [1, 2, 4], [1, 7, 100])
    func realLedgers(fetchers: Int, batchSize: Int) async throws {
        let fixture = try Fixture(try #require(Self.pubnet), only: 63_092_982...63_092_993)
        #expect(fixture.expected.count == 4)
        try await Stage.with(fixture) { stage in
            try await stage.migrate(["--fetchers", "\(fetchers)", "--batch-size", "\(batchSize)"])
            try await stage.expectComplete()
        }
    }

    private static var pubnet: URL? {
        ProcessInfo.processInfo.environment["PUBNET_LEDGERS"].map { URL(fileURLWithPath: $0) }
    }

    private static var folders: [URL] {
        guard let path = ProcessInfo.processInfo.environment["MADE_LEDGERS"] else { return [] }
        let root = URL(fileURLWithPath: path)
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted().map { root.appendingPathComponent($0) }
    }
}
