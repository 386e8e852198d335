import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PostgreSQL
import TestSupport
import Testing

/// Ledgers from a data lake: the rows are those of the ledgers, whatever the layout and the faults, and a lake that is none is refused before
/// anything is written.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LakeTests {
    /// A lake of a stage's ledgers in a folder of its own.
    private static func withLake(
        _ stage: Stage, _ arguments: [String] = [], passphrase: String = Stage.passphrase, _ body: (String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lake-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let make = try RunningProgram(
            "ledger-simulator",
            ["lake", "--out", folder.path, "--ledgers", stage.fixture.folder.path, "--network-passphrase", passphrase] + arguments)
        #expect(await make.exit() == 0, "\(make.log)")
        try await body(folder.path)
    }

    /// The folder behind HTTP.
    private static func serving(_ folder: String, _ arguments: [String] = [], _ body: (String) async throws -> Void) async throws {
        let server = try RunningProgram("ledger-simulator", ["serve-lake", "--lake", folder, "--port", "0"] + arguments)
        defer { server.send(SIGKILL) }
        let line = try #require(await server.line(containing: "listening on "), "\(server.log)")
        try await body(String(line.split(separator: " ").last ?? ""))
    }

    private static func settings(_ path: String, rpc: String = "") -> [String: String] {
        ["RPC_URL": rpc, "DATASTORE_BUCKET_PATH": path, "DATASTORE_RETRY_WAIT": "100ms"]
    }

    /// The fixture's last ledgers fill files of 1, 2, 4 and 20.
    @Test(arguments: [("1", "64000"), ("2", "3"), ("4", "1"), ("20", "5")])
    func theRowsAreThoseOfTheLedgersWhateverTheLayout(ledgersPerFile: String, filesPerPartition: String) async throws {
        try await Stage.with { stage in
            let layout = ["--ledgers-per-file", ledgersPerFile, "--files-per-partition", filesPerPartition]
            try await Self.withLake(stage, layout) { folder in
                try await stage.migrate(["--batch-size", "7"], environment: Self.settings("file://\(folder)"))
                try await stage.expectComplete()
            }
        }
    }

    /// Batches of other lengths than files would have most files fetched twice.
    @Test func eachFileIsFetchedOnce() async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage, ["--ledgers-per-file", "4"]) { folder in
                try await Self.serving(folder) { url in
                    try await stage.migrate(["--batch-size", "6"], environment: Self.settings(url))
                    try await stage.expectComplete()
                    let served = try await FetchingTests.statistics(url)
                    // The first one is looked at before the run begins.
                    #expect(served.distinct == 20 && served.served == 24 && served.max == 2, "\(served)")
                }
            }
        }
    }

    @Test(arguments: ["1", "4"]) func faultsOnTheWayCostNoRow(ledgersPerFile: String) async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage, ["--ledgers-per-file", ledgersPerFile]) { folder in
                let faults = "503,504,429,cut-body,drop,half-file,damaged-frame,wrong-bytes,other-file"
                try await Self.serving(folder, ["--faults", faults, "--fail-every", "2", "--latency", "5"]) { url in
                    let run = try await stage.migrate(["--batch-size", "3"], environment: Self.settings(url))
                    #expect(run.log.contains("failed, trying again"), "\(run.log)")
                    try await stage.expectComplete()
                }
            }
        }
    }

    @Test func anOldLakeWithoutAManifestIsReadByTheLayoutGiven() async throws {
        try await Stage.with { stage in
            let arguments = ["--ledgers-per-file", "2", "--files-per-partition", "8", "--no-manifest", "--old-extension"]
            try await Self.withLake(stage, arguments) { folder in
                let before = try await stage.fingerprint()
                let refused = try await stage.migrate(environment: Self.settings("file://\(folder)"), exits: 1)
                #expect(refused.log.contains("--datastore-ledgers-per-file"), "\(refused.log)")
                #expect(try await stage.fingerprint() == before)
                let layout = ["--datastore-ledgers-per-file", "2", "--datastore-files-per-partition", "8"]
                let run = try await stage.migrate(layout, environment: Self.settings("file://\(folder)"))
                #expect(run.log.contains("has no manifest"), "\(run.log)")
                try await stage.expectComplete()
            }
        }
    }

    @Test func aGapIsNamedWithLedgerAndFileAndWhatIsBeforeItStays() async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage, ["--missing", "1012"]) { folder in
                let run = try await stage.migrate(["--batch-size", "4"], environment: Self.settings("file://\(folder)"), exits: 1)
                let line = try #require(run.lines(containing: "migration stopped").first, "\(run.log)")
                #expect(line.contains("ledger 1012") && line.contains("FFFFFC0B--1012.xdr.zst") && line.contains("gap"), "\(line)")
                let cursor = try #require(try await stage.cursor("SEP41").flatMap { Int($0) })
                #expect((999...1011).contains(cursor))
                try await stage.expectRows(stage.fixture.expected.filter { $0.ledger <= cursor })
                // The RPC has what the lake has not.
                let again = try await stage.migrate(environment: Self.settings("file://\(folder)", rpc: stage.rpcURL))
                #expect(!again.log.contains("level=error"), "\(again.log)")
                try await stage.expectComplete()
            }
        }
    }

    @Test func theLakeIsBelowTheRPC() async throws {
        try await Stage.with(simulatorArguments: ["--oldest", "1010"]) { stage in
            let alone = try await stage.migrate(exits: 1)
            #expect(alone.log.contains("1000-1019") && alone.log.contains("1010-1019"), "\(alone.log)")
            try await Self.withLake(stage, ["--missing", "1009"]) { folder in
                let run = try await stage.migrate(environment: Self.settings("file://\(folder)", rpc: stage.rpcURL), exits: 1)
                #expect(run.log.contains("lake=1000-1009") && run.log.contains("rpc=1010-1019"), "\(run.log)")
                #expect(run.log.contains("ledger 1009"), "neither has it: \(run.log)")
            }
            try await Self.withLake(stage) { folder in
                try await stage.migrate(environment: Self.settings("file://\(folder)", rpc: stage.rpcURL))
                try await stage.expectComplete()
            }
        }
    }

    /// A lake, or a setting, that is wrong, and the words of the refusal.
    struct Refusal: Sendable, CustomTestStringConvertible {
        var lake: [String] = []
        var passphrase = Stage.passphrase
        var flags: [String] = []
        let words: String
        var testDescription: String { words }
    }

    @Test(arguments: [
        Refusal(passphrase: "Other", words: #"is of the network \"Other\""#),
        Refusal(flags: ["--datastore-ledgers-per-file", "4"], words: "configured are 4 ledgers per file"),
        Refusal(flags: ["--datastore-bucket-path", "file:///nowhere"], words: "there is no such folder"),
        Refusal(flags: ["--datastore-bucket-path", "file:///usr/share"], words: "there is no .config.json"),
        Refusal(lake: ["--missing", "1000"], words: "1000.xdr.zst is not in the lake"),
        Refusal(flags: ["--datastore-bucket-path", "s3://"], words: "s3://"),
    ])
    func aLakeThatIsOfNoUseIsRefusedBeforeAnythingIsWritten(refusal: Refusal) async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage, refusal.lake, passphrase: refusal.passphrase) { folder in
                let before = try await stage.fingerprint()
                let run = try await stage.migrate(refusal.flags, environment: Self.settings("file://\(folder)"), exits: 1)
                #expect(run.log.contains(refusal.words), "\(run.log)")
                #expect(try await stage.fingerprint() == before)
            }
        }
    }

    @Test func anEmptyLakeIsRefused() async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage) { folder in
                for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name != ".config.json" {
                    try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
                }
                let before = try await stage.fingerprint()
                let run = try await stage.migrate(environment: Self.settings("file://\(folder)"), exits: 1)
                #expect(run.log.contains("there is no ledger file in the lake"), "\(run.log)")
                #expect(try await stage.fingerprint() == before)
            }
        }
    }

    /// A bucket whose answers are refusals, in the words of S3.
    @Test(arguments: [
        (["400 ExpiredToken", "400 ExpiredToken"], "expired"),
        (["403 AccessDenied", "403 AccessDenied"], "the right to list this bucket"),
        (["manifest", "403 AccessDenied"], "the right to list this bucket"),
    ])
    func aBucketThatRefusesIsNamedBeforeAnythingIsWritten(answers: [String], words: String) async throws {
        try await Stage.with { stage in
            let manifest = """
                {"networkPassphrase":"\(Stage.passphrase)","version":"1","compression":"zstd","ledgersPerBatch":1,"batchesPerPartition":64000}
                """
            let service = { @Sendable (request: SeenRequest, _: Int) -> Reply in
                let answer = request.target.hasSuffix(".config.json") ? answers[0] : answers[1]
                if answer == "manifest" { return .text(manifest) }
                let parts = answer.split(separator: " ")
                return .text(
                    "<?xml version=\"1.0\"?><Error><Code>\(parts[1])</Code><Message>words of the store</Message></Error>",
                    status: Int(parts[0]) ?? 500)
            }
            try await LocalService.run(service) { service in
                let settings = Self.settings("bucket/v1").merging([
                    "DATASTORE_ENDPOINT_URL": service.url, "DATASTORE_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": "KEY-OF-A-TEST",
                    "AWS_SECRET_ACCESS_KEY": "secret-of-a-test", "AWS_SESSION_TOKEN": "token-of-a-test",
                ]) { $1 }
                let before = try await stage.fingerprint()
                let run = try await stage.migrate(environment: settings, exits: 1)
                let line = try #require(run.lines(containing: "nothing was written").first, "\(run.log)")
                #expect(line.contains(words) && line.contains(service.url), "\(line)")
                #expect(!run.log.contains("secret-of-a-test") && !run.log.contains("token-of-a-test"))
                #expect(try await stage.fingerprint() == before)
            }
        }
    }

    /// A bucket on a server that verifies signatures; then nobody, a stranger and one with the wrong secret ask, for this bucket and for one that is not there.
    @Test(.enabled(if: LakeServers.hasSwift, "no OpenStack Swift: \(LakeServers.hint)"))
    func aBucketIsReadByWhoeverMay() async throws {
        try await Stage.with { stage in
            try await Self.withLake(stage) { folder in
                let start = "exec \"\(LakeServers.package)/Scripts/s3_swift.sh\" \"$DIR/swift\" $PORT us-east-2"
                try await RunningServer.with(start, ports: 4) { server in
                    try await server.boto3(
                        """
                        s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
                        folder = "\(folder)"
                        for path, _, files in os.walk(folder):
                            for file in files:
                                name = os.path.join(path, file)
                                s3.upload_file(name, "lake", "v1/" + os.path.relpath(name, folder))
                        """)
                    var settings = Self.settings("lake/v1")
                    settings["DATASTORE_ENDPOINT_URL"] = server.url
                    // No machine of a cloud's, and nobody's own files.
                    settings["AWS_EC2_METADATA_DISABLED"] = "true"
                    settings["HOME"] = server.folder
                    let before = try await stage.fingerprint()
                    let own = ["AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"]
                    let wrong = ["AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "a-wrong-secret"]
                    for (more, words) in [
                        ([:], "credentials"), (wrong, "SignatureDoesNotMatch"),
                        (own.merging(["DATASTORE_BUCKET_PATH": "nowhere/v1"]) { $1 }, "no such bucket"),
                        (own.merging(["DATASTORE_BUCKET_PATH": "lake/v2"]) { $1 }, "there is no .config.json"),
                    ] {
                        let run = try await stage.migrate(environment: settings.merging(more) { $1 }, exits: 1)
                        #expect(run.log.contains(words) && run.log.contains(server.url), "\(run.log)")
                        #expect(!run.log.contains("a-wrong-secret"))
                        #expect(try await stage.fingerprint() == before)
                    }
                    try await stage.migrate(environment: settings.merging(own) { $1 })
                    try await stage.expectComplete()
                }
            }
        }
    }

    @Test func whereLedgersComeFromMustBeSaid() async throws {
        try await Stage.with { stage in
            for (flags, words) in [
                ([], "--rpc-url or --datastore-bucket-path"), (["--ledger-backend-type", "rpc"], "--rpc-url"),
                (["--ledger-backend-type", "ftp"], "is none of rpc, datastore"),
            ] {
                let run = try await stage.migrate(flags, environment: ["RPC_URL": ""], exits: 64)
                #expect(run.log.contains(words), "\(run.log)")
            }
        }
    }

    @Test func credentialsGoToFetchersOnly() async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            var settings = ["AWS_SECRET_ACCESS_KEY": "aws-secret", "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"]
            settings["DATASTORE_REGION"] = "nowhere-1"
            let run = try stage.migration(["--fetchers", "1"], environment: settings)
            try await stage.untilHeld(run)
            for line in run.lines(containing: "worker started") {
                let pid = try #require(line.split(separator: " ").first { $0.hasPrefix("worker_pid=") }?.dropFirst(11))
                let variables = try String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
                #expect(variables.contains("aws-secret") == line.contains("role=fetcher"), "\(line)")
                #expect(variables.contains("RPC_URL=") == line.contains("role=fetcher"), "\(line)")
            }
            #expect(!run.log.contains("aws-secret"))
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
        }
    }

    /// Files appear one after the other; the next one is waited for, without a word of complaint.
    @Test(arguments: [true, false]) func liveIngestionFollowsALakesTip(behindHTTP: Bool) async throws {
        try await Stage.with { stage in
            try await stage.stand(at: 1009)
            try await stage.createCursors(at: 1009)
            try await Self.withLake(stage) { folder in
                try await Self.serving(folder, ["--visible", "12"]) { url in
                    let run = try stage.ingestion(environment: Self.settings(behindHTTP ? url : "file://\(folder)"))
                    if behindHTTP {
                        try await stage.untilAtTip(run, 1011)
                        for _ in 1012...1019 {
                            let response = try await HTTPClient.shared.post(url: url + "/close").get()
                            #expect(response.status.code == 204)
                        }
                    }
                    try await stage.untilAtTip(run, 1019)
                    try await stage.end(run)
                    #expect(!run.log.contains("level=warning") && !run.log.contains("level=error"), "\(run.log)")
                    try await stage.expectRows(stage.fixture.expected.filter { $0.ledger > 1009 })
                }
            }
        }
    }
}
