import Foundation
import LedgerSources
import Testing

/// `.config.json` of a data lake, and whether it is the lake that was meant.
@Suite struct LakeManifestTests {
    private static let testnet = "Test SDF Network ; September 2015"
    private static let text = """
        {"networkPassphrase":"\(testnet)","version":"1.0","compression":"zstd","ledgersPerBatch":8,"batchesPerPartition":64000}
        """

    private static func manifest(_ text: String = text) throws -> LakeManifest { try LakeManifest(json: Array(text.utf8)) }

    @Test func aManifestIsRead() throws {
        let manifest = try Self.manifest()
        #expect(manifest.networkPassphrase == Self.testnet)
        #expect(manifest.layout == LakeLayout(ledgersPerFile: 8, filesPerPartition: 64000))
    }

    @Test func aRealOneIsRead() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/lake/testnet/.config.json")
        let manifest = try LakeManifest(json: Array(try Data(contentsOf: file)))
        #expect(manifest.layout == LakeLayout(ledgersPerFile: 1, filesPerPartition: 64000))
        #expect(manifest.networkPassphrase == Self.testnet)
    }

    @Test func neitherVersionNorCompressionNeedsToBeThere() throws {
        for text in [
            Self.text.replacing("\"1.0\"", with: "7"), Self.text.replacing("\"version\":\"1.0\",\"compression\":\"zstd\",", with: ""),
        ] {
            #expect(try Self.manifest(text) == Self.manifest())
        }
    }

    @Test(
        arguments: [
            ("", "not a JSON object"), ("[]", "not a JSON object"), ("<html>", "not a JSON object"), ("{}", "it has no networkPassphrase"),
            (text.replacing("ledgersPerBatch", with: "ledgers"), "it has no ledgersPerBatch"),
            (text.replacing(":8,", with: ":\"8\","), "its ledgersPerBatch cannot be read"),
            (text.replacing(":8,", with: ":-8,"), "ledgersPerBatch -8 and batchesPerPartition 64000 must be 1 to 4294967295"),
            (text.replacing(":64000", with: ":4294967296"), "ledgersPerBatch 8 and batchesPerPartition 4294967296 must be 1 to"),
            (text.replacing(":8,", with: ":0,"), "ledgersPerBatch 0 and batchesPerPartition 64000 must be 1 to"),
            (text.replacing(":64000", with: ":0"), "ledgersPerBatch 8 and batchesPerPartition 0 must be 1 to"),
        ] as [(String, String)])
    func whatIsNoManifestIsSaid(text: String, reason: String) {
        let error = #expect(throws: LakeManifestError.self) { try Self.manifest(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test func anotherCompressionIsRefused() {
        #expect(throws: LakeManifestError.otherCompression("gzip")) { try Self.manifest(Self.text.replacing("\"zstd\"", with: "\"gzip\"")) }
    }

    @Test func whatWasConfiguredMayAgreeOrBeLeftOut() throws {
        let manifest = try Self.manifest()
        #expect(throws: Never.self) {
            try manifest.requireLayout(ledgersPerFile: nil, filesPerPartition: nil)
            try manifest.requireLayout(ledgersPerFile: 8, filesPerPartition: nil)
            try manifest.requireLayout(ledgersPerFile: nil, filesPerPartition: 64000)
            try manifest.requireLayout(ledgersPerFile: 8, filesPerPartition: 64000)
        }
    }

    @Test(
        arguments: [
            (1, nil, "1 ledgers per file"), (nil, 8, "8 files per partition"), (8, 1, "8 ledgers per file, 1 files per partition"),
        ] as [(UInt32?, UInt32?, String)])
    func anotherLayoutIsRefusedWithBoth(ledgersPerFile: UInt32?, filesPerPartition: UInt32?, configured: String) throws {
        let manifest = try Self.manifest()
        let error = #expect(throws: LakeManifestError.self) {
            try manifest.requireLayout(ledgersPerFile: ledgersPerFile, filesPerPartition: filesPerPartition)
        }
        #expect(error?.description.contains("says 8 ledgers per file, 64000 files per partition, configured are \(configured);") == true)
    }
}
