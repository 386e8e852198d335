import PostgreSQL
import TestSupport
import Testing

import Timescale

@Suite(.timeLimit(.minutes(5))) struct TimescaleExtensionTests {
    @Test(arguments: [
        ("2.28.3", TimescaleExtension.Version(2, 28)), ("2.29.0-dev", .init(2, 29)), ("2.9", .init(2, 9)), ("3", nil), ("", nil),
    ])
    func aVersionIsReadFromItsText(text: String, version: TimescaleExtension.Version?) {
        #expect(TimescaleExtension.Version(text) == version)
    }

    @Test func versionsAreInTheOrderOfTheirNumbers() {
        #expect(TimescaleExtension.Version(2, 9) < .init(2, 28))
        #expect(TimescaleExtension.Version(2, 28) < .init(3, 0))
    }

    @Test func aPlainDatabaseHasNone() async throws {
        try await withPlainDatabase { _, connection in
            let found = try await TimescaleExtension.find(on: connection)
            #expect(found == nil)
        }
    }

    @Test(.enabled(if: PrivatePostgres.hasTimescale, "no TimescaleDB")) func itIsFound() async throws {
        try await withTimescaleDatabase { _, connection in
            let found = try #require(try await TimescaleExtension.find(on: connection))
            #expect(found.version > .init(2, 10))
            #expect(found.license == .community)
            #expect(!found.skipsChunks)
            #expect(found.schema == "public")
        }
    }
}
