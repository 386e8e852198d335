internal import ArgumentParser
internal import Foundation

/// `ledger-simulator lake`.
struct LakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lake",
        abstract: "Write ledgers as a data lake (SEP-54) into a folder, framed as the objects of real lakes.",
        discussion: """
            A file is written only if all its ledgers are there; the first of a network is full with ledger 2, although its name begins with 0. What is \
            left over is said. Each file gets its name when it is complete, the oldest first.
            """)
    @OptionGroup var source: SourceOptions
    @Option(help: "The folder; made where it is missing.") var out: String
    @Option(help: "Ledgers per file.") var ledgersPerFile: UInt32 = 1
    @Option(help: "Files per folder; 1: no folders.") var filesPerPartition: UInt32 = 64000
    @Option(help: "What the manifest says.") var networkPassphrase = SourceOptions.networkPassphrase
    @Flag(help: "Write no manifest, as lakes of old.") var noManifest = false
    @Flag(help: "Names end with .xdr.zstd, as in lakes of old.") var oldExtension = false
    @Option(parsing: .upToNextOption, help: "Ledgers whose files are left out: a lake with gaps.") var missing: [UInt32] = []

    func validate() throws {
        guard ledgersPerFile > 0, filesPerPartition > 0 else {
            throw ValidationError("--ledgers-per-file and --files-per-partition must be positive")
        }
    }

    func run() async throws {
        let (supply, ledgers) = try await source.supply(growing: false)
        if let stranger = missing.first(where: { !ledgers.contains($0) }) {
            throw SimulatorError.range("--missing \(stranger) is not one of the ledgers \(ledgers.lowerBound)-\(ledgers.upperBound)")
        }
        let writer = LakeWriter(
            format: LakeFormat(
                ledgersPerFile: ledgersPerFile, filesPerPartition: filesPerPartition, suffix: oldExtension ? "zstd" : "zst"),
            folder: URL(fileURLWithPath: out, isDirectory: true))
        supply.prepare(through: ledgers.upperBound)
        if !noManifest { try writer.writeManifest(passphrase: networkPassphrase) }
        let summary = try await writer.write(ledgers, of: supply, missing: missing)
        guard let written = summary.ledgers else {
            throw SimulatorError.range(
                "ledgers \(ledgers.lowerBound)-\(ledgers.upperBound) fill no file of \(ledgersPerFile); choose --first and --count so that they do"
            )
        }
        let left = summary.left.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
        Output.line(
            "\(summary.files) files, ledgers \(written.lowerBound)-\(written.upperBound), \(summary.bytes) bytes"
                + (left.isEmpty ? "" : "; left over, their files would not be full: \(left)"))
    }
}

/// `ledger-simulator serve-lake`.
struct ServeLakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-lake",
        abstract: "Serve a data lake in a folder over HTTP, as a web server would, with latency and faults.",
        discussion: """
            The first line on standard output tells the address. GET /stats tells as JSON how many ledgers were served in all (each with its file), how many \
            different ones, how often the one served most, in how many bytes, each fault that was served with how often, and what was asked for: file, \
            head, manifest, missing. POST /release lets go what --hold-from keeps back; POST /hold?from=N keeps back again from ledger N on. POST /close \
            lets the next of the files appear that --visible leaves out; --close-every does so by itself. Files that are added to the folder later are not \
            served.

            Faults, of ledger files only: 503, 504, 429 (with Retry-After: 0): HTTP statuses. 404: for this file, and for the next two requests for it. \
            cut-body: the connection closes in the middle. drop: it closes before the response. half-file: the first half, as if it were all. \
            damaged-frame: a bit is flipped. wrong-bytes: HTML instead. other-file: another file of the lake instead.
            """)
    @Option(help: "The folder.") var lake: String
    @Option(help: "How many files there are at the start, the oldest; all unless given, or 1 with --close-every.") var visible: Int?
    @OptionGroup var server: ServerOptions
    @OptionGroup var faults: FaultOptions<FileFault>

    func validate() throws {
        guard (visible ?? 0) >= 0 else { throw ValidationError("--visible must not be negative") }
    }

    func run() async throws {
        try await server.serve { hold, delivery in
            let served = try ServedLake(path: lake, visible: visible ?? (server.closeEvery == nil ? nil : 1))
            return LakeService(
                lake: served, counts: ServedCounts(first: served.files[0].ledgers.lowerBound), faults: try faults.plan(), hold: hold,
                delivery: delivery)
        }
    }
}
