import Foundation
import TestSupport
import Testing

/// Data lakes that the simulator writes: names, contents, gaps.
@Suite struct LakeTests {
    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The names are those that `make_lake.py`, a writer that is not ours, gives for the same ledgers.
    @Test(
        arguments: [
            (["--ledgers-per-file", "1"], 40, "FFFFFFFF--0-63999/FFFFFF9B--100.xdr.zst", "FFFFFFFF--0-63999/FFFFFF74--139.xdr.zst"),
            (
                ["--ledgers-per-file", "8", "--files-per-partition", "2"], 4, "FFFFFF9F--96-111/FFFFFF97--104-111.xdr.zst",
                "FFFFFF7F--128-143/FFFFFF7F--128-135.xdr.zst"
            ),
            (
                ["--ledgers-per-file", "10", "--files-per-partition", "1", "--old-extension"], 4, "FFFFFF9B--100-109.xdr.zstd",
                "FFFFFF7D--130-139.xdr.zstd"
            ),
            (
                ["--ledgers-per-file", "1", "--files-per-partition", "1", "--no-manifest"], 40, "FFFFFF9B--100.xdr.zst",
                "FFFFFF74--139.xdr.zst"
            ),
        ] as [([String], Int, String, String)])
    func filesHaveTheirNames(arguments: [String], count: Int, oldest: String, newest: String) async throws {
        try await MadeLake.with(arguments) { lake in
            let files = try lake.files
            #expect(files.count == count && files.first == oldest && files.last == newest, "\(files)")
            let hasManifest = try lake.keys.contains(".config.json")
            #expect(hasManifest == !arguments.contains("--no-manifest"))
        }
    }

    @Test(arguments: [1, 8, 16])
    func everyFileIsFullOfTheLedgersThatAreServed(ledgersPerFile: UInt32) async throws {
        let made = FileManager.default.temporaryDirectory.appendingPathComponent("ledgers-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: made) }
        let make = try RunningProgram("ledger-simulator", ["make", "--out", made.path] + MadeLake.ledgers)
        #expect(await make.exit() == 0, "\(make.log)")
        try await MadeLake.with(["--ledgers-per-file", "\(ledgersPerFile)"]) { lake in
            for file in try lake.files {
                let batch = try lake.batch(file)
                #expect(
                    batch.first.isMultiple(of: ledgersPerFile) && batch.count == ledgersPerFile
                        && batch.last - batch.first + 1 == batch.count)
                var ledgers: [UInt8] = []
                for sequence in batch.first...batch.last {
                    ledgers += try Data(contentsOf: made.appendingPathComponent("ledger-\(sequence).xdr"))
                }
                #expect(batch.ledgers.elementsEqual(ledgers), "\(file)")
            }
        }
    }

    @Test func theFirstFileOfANetworkBeginsWithLedgerTwo() async throws {
        let ledgers = ["--seed", "3", "--count", "40", "--ledger-bytes", "2000"]
        try await MadeLake.with(["--ledgers-per-file", "16"], of: ledgers) { lake in
            let files = try lake.files
            #expect(
                files
                    == ["FFFFFFFF--0-63999/FFFFFFFF--0-15.xdr.zst", "FFFFFFFF--0-63999/FFFFFFEF--16-31.xdr.zst"].map {
                        $0.replacing("0-63999", with: "0-1023999")
                    })
            let first = try lake.batch(files[0])
            #expect(first.first == 2 && first.last == 15 && first.count == 14)
            #expect(lake.said.contains("2 files, ledgers 2-31") && lake.said.contains("would not be full: 32-41"), "\(lake.said)")
        }
    }

    @Test func filesThatWouldNotBeFullAreLeftOut() async throws {
        try await MadeLake.with(["--ledgers-per-file", "16"]) { lake in
            let files = try lake.files
            #expect(files == ["FFFFFFFF--0-1023999/FFFFFF8F--112-127.xdr.zst"])
            #expect(lake.said.contains("ledgers 112-127") && lake.said.contains("100-111, 128-139"), "\(lake.said)")
        }
    }

    @Test func aLakeMayHaveGaps() async throws {
        let whole = try await MadeLake.with(["--ledgers-per-file", "4"]) { try $0.files }
        try await MadeLake.with(["--ledgers-per-file", "4", "--missing", "105", "131"]) { lake in
            let files = try lake.files
            #expect(files == whole.filter { !$0.contains("--104-107") && !$0.contains("--128-131") } && files.count == 8)
        }
    }

    @Test func theManifestSaysWhatTheLakeIs() async throws {
        let arguments = ["--ledgers-per-file", "4", "--files-per-partition", "7", "--network-passphrase", "Some \"where\""]
        try await MadeLake.with(arguments) { lake in
            let manifest = try JSONSerialization.jsonObject(with: try lake.bytes(".config.json")) as? [String: Any]
            #expect(manifest?["networkPassphrase"] as? String == "Some \"where\"")
            #expect(manifest?["ledgersPerBatch"] as? Int == 4 && manifest?["batchesPerPartition"] as? Int == 7)
            #expect(manifest?["compression"] as? String == "zstd" && manifest?["version"] as? String == "1.0")
            #expect(manifest?.count == 5)
        }
    }

    /// One whole block states its size and needs no window; what is larger has a window of 8 MiB and no size.
    @Test func framesAreThoseOfRealLakes() async throws {
        try await MadeLake.with(["--ledgers-per-file", "1"]) { lake in
            for file in try lake.files {
                let frame = Array(try lake.bytes(file))
                #expect(frame[..<4] == [0x28, 0xB5, 0x2F, 0xFD])
                #expect(frame[4] & 0b100 != 0, "a checksum")
                #expect(frame[4] & 0b10_0000 != 0, "a single segment")
            }
        }
        try await MadeLake.with(["--ledgers-per-file", "10"]) { lake in
            for file in try lake.files {
                let frame = Array(try lake.bytes(file))
                #expect(frame[4] == 0b100, "a checksum, no size, no dictionary")
                #expect(frame[5] == (23 - 10) << 3, "a window of 8 MiB")
            }
        }
    }

    @Test(
        arguments: [
            (["--ledgers-per-file", "0"], 64, "must be positive"), (["--files-per-partition", "0"], 64, "must be positive"),
            (["--ledgers-per-file", "64000"], 1, "ledgers 100-139 fill no file of 64000"), (["--missing", "99"], 1, "--missing 99"),
            (["--out", "/proc/nowhere"], 1, "/proc/nowhere"),
        ] as [([String], Int32, String)])
    func whatCannotBeWrittenIsSaid(arguments: [String], status: Int32, reason: String) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lake-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let out = arguments.contains("--out") ? [] : ["--out", folder.path]
        let lake = try RunningProgram("ledger-simulator", ["lake"] + MadeLake.ledgers + out + arguments)
        #expect(await lake.exit() == status, "\(lake.log)")
        #expect(lake.log.contains(reason), "\(lake.log)")
    }

    /// The independent witness: the Python SDK decodes every file, zstandard unpacks it, and the names follow from SEP-54 once more.
    @Test(
        .enabled("WITNESS_PYTHON is not set, or it has no stellar-sdk and zstandard") { try await Witness.canReadLakes() },
        arguments: [
            ["--ledgers-per-file", "1"], ["--ledgers-per-file", "4", "--files-per-partition", "3"],
            ["--ledgers-per-file", "20", "--files-per-partition", "1", "--old-extension"], ["--ledgers-per-file", "2", "--no-manifest"],
        ])
    func thePythonSDKReadsEveryFile(arguments: [String]) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("witness-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let ledgers = MadeLake.ledgers + ["--events", "60", "--rare-addresses"]
        let make = try RunningProgram("ledger-simulator", ["make", "--out", folder.path] + ledgers)
        #expect(await make.exit() == 0, "\(make.log)")
        try await MadeLake.with(arguments, of: ledgers) { lake in
            let layout = arguments.contains("--no-manifest") ? ["--ledgers-per-file", "2", "--files-per-partition", "64000"] : []
            let check = try Witness.run("check-lake.py", [lake.folder.path, "--ledgers", folder.path] + layout)
            #expect(await check.exit() == 0, "\(check.log)")
            #expect(check.log.contains("40 ledgers checked"), "\(check.log)")
        }
    }

    @Test(.enabled("WITNESS_PYTHON is not set, or it has no stellar-sdk and zstandard") { try await Witness.canReadLakes() })
    func theWitnessReadsARealLakeAndNotices() async throws {
        let real = Self.package.appendingPathComponent("Tests/Fixtures/lake/testnet")
        let check = try Witness.run("check-lake.py", [real.path])
        #expect(await check.exit() == 0 && check.log.contains("3 files, 3 ledgers checked"), "\(check.log)")
        // With another layout the same names are wrong.
        let wrong = try Witness.run("check-lake.py", [real.path, "--files-per-partition", "1"])
        #expect(await wrong.exit() != 0, "\(wrong.log)")
    }
}

/// The Python with the packages that are not ours.
enum Witness {
    private static let python = ProcessInfo.processInfo.environment["WITNESS_PYTHON"]
    private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Scripts")

    /// Whether it has what lakes need.
    static func canReadLakes() async throws -> Bool {
        guard let python else { return false }
        return await (try RunningProgram(executable: URL(fileURLWithPath: python), ["-c", "import stellar_sdk, zstandard"])).exit() == 0
    }

    /// Starts one of the scripts.
    static func run(_ script: String, _ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(executable: URL(fileURLWithPath: python ?? ""), [scripts.appendingPathComponent(script).path] + arguments)
    }
}
