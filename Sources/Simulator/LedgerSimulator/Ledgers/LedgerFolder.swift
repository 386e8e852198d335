internal import Crypto
internal import Foundation
internal import Subprocess

/// The ledgers of a folder: files `ledger-<sequence>.xdr` and `ledger-<sequence>.xdr.gz`, one `LedgerCloseMeta` each.
///
/// A real RPC serves one unbroken range, so the simulator serves one unbroken run of a folder with gaps.
struct LedgerFolder {
    /// What the ledgers of one run may take in memory; a longer run is better made from a seed.
    static let byteLimit = 1 << 30

    /// Ledger files of a folder, by number.
    let files: [UInt32: URL]
    private let path: String

    init(path: String) throws(SimulatorError) {
        self.path = path
        let names: [URL]
        do {
            names = try FileManager.default.contentsOfDirectory(at: URL(fileURLWithPath: path), includingPropertiesForKeys: nil)
        } catch {
            throw .folder(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
        var files: [UInt32: URL] = [:]
        for url in names {
            guard let sequence = Self.sequence(ofFile: url.lastPathComponent) else { continue }
            files[sequence] = url
        }
        guard !files.isEmpty else {
            throw .folder(path: path, reason: "holds no files named ledger-<sequence>.xdr or ledger-<sequence>.xdr.gz")
        }
        self.files = files
    }

    /// The number in a ledger file's name, nil for any other name.
    static func sequence(ofFile name: String) -> UInt32? {
        guard name.hasPrefix("ledger-"), let suffix = [".xdr", ".xdr.gz"].first(where: name.hasSuffix) else { return nil }
        return UInt32(name.dropFirst("ledger-".count).dropLast(suffix.count))
    }

    /// Unbroken runs of numbers, ascending.
    var runs: [ClosedRange<UInt32>] {
        files.keys.sorted().reduce(into: []) { runs, sequence in
            if let last = runs.last, last.upperBound + 1 == sequence {
                runs[runs.count - 1] = last.lowerBound...sequence
            } else {
                runs.append(sequence...sequence)
            }
        }
    }

    /// The run to serve: from `first` (else the start of the longest run, the last of equals), `count` ledgers or to the run's end.
    func run(first: UInt32?, count: Int?) throws(SimulatorError) -> ClosedRange<UInt32> {
        let runs = runs
        let has = "it has " + runs.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
        let whole: ClosedRange<UInt32>
        if let first {
            guard let run = runs.first(where: { $0.contains(first) }) else {
                throw .folder(path: path, reason: "has no ledger \(first); \(has)")
            }
            whole = first...run.upperBound
        } else {
            guard let longest = runs.max(by: { $0.count <= $1.count }) else {
                throw .folder(path: path, reason: "holds no ledgers")
            }
            whole = longest
        }
        guard let count else { return whole }
        guard count <= whole.count else {
            throw .folder(path: path, reason: "has no \(count) consecutive ledgers from \(whole.lowerBound) on; \(has)")
        }
        return whole.lowerBound...(whole.lowerBound + UInt32(count) - 1)
    }

    /// Reads the ledgers of a run and checks each one's number and header hash, and that each names its predecessor.
    func load(_ run: ClosedRange<UInt32>) async throws(SimulatorError) -> [SimulatedLedger] {
        var ledgers: [SimulatedLedger] = []
        var total = 0
        for sequence in run {
            guard let url = files[sequence] else { throw .folder(path: path, reason: "has no ledger \(sequence)") }
            let ledger = try Self.ledger(sequence, try await Self.contents(of: url), from: url)
            if let previous = ledgers.last, previous.hash != ledger.previousHash {
                throw .ledgerFile(path: url.path, reason: "its previousLedgerHash is not the hash of ledger \(sequence - 1)")
            }
            total += ledger.byteCount
            guard total <= Self.byteLimit else {
                throw .folder(
                    path: path,
                    reason: "ledgers \(run.lowerBound)-\(run.upperBound) exceed 1 GiB in memory; serve fewer with --count, or use --seed")
            }
            ledgers.append(ledger)
        }
        return ledgers
    }

    private static func ledger(_ sequence: UInt32, _ bytes: [UInt8], from url: URL) throws(SimulatorError) -> SimulatedLedger {
        let layout: HeaderLayout
        do {
            layout = try HeaderLayout(ofLedger: bytes)
        } catch {
            throw .ledgerFile(path: url.path, reason: "is no LedgerCloseMeta: \(error.reason)")
        }
        let end = layout.entry.upperBound
        let ledger = SimulatedLedger(
            sequence: HeaderLayout.uint32(bytes, at: layout.sequence), closeTime: HeaderLayout.uint64(bytes, at: layout.closeTime),
            protocolVersion: HeaderLayout.uint32(bytes, at: layout.protocolVersion), head: Array(bytes[..<end]), layout: layout,
            rest: [.shared(SharedBlock(Array(bytes[end...])))])
        guard ledger.sequence == sequence else {
            throw .ledgerFile(path: url.path, reason: "holds ledger \(ledger.sequence)")
        }
        guard Bytes32(SHA256.hash(data: ledger.header)) == ledger.hash else {
            throw .ledgerFile(path: url.path, reason: "states a hash that is not the SHA-256 of its header")
        }
        return ledger
    }

    private static func contents(of url: URL) async throws(SimulatorError) -> [UInt8] {
        do {
            guard url.pathExtension == "gz" else { return [UInt8](try Data(contentsOf: url)) }
            // gzip(1) is essential on Debian; a zlib of our own would be one more dependency for a few files at start.
            let result = try await Subprocess.run(
                .name("gzip"), arguments: ["-dc", url.path], output: .bytes(limit: 256 << 20), error: .string(limit: 4096))
            guard case .exited(0) = result.terminationStatus else {
                throw SimulatorError.ledgerFile(path: url.path, reason: "gzip cannot unpack it: \(result.standardError)")
            }
            return result.standardOutput
        } catch let error as SimulatorError {
            throw error
        } catch {
            throw .ledgerFile(path: url.path, reason: "cannot be read: \(error)")
        }
    }
}

extension SimulatedLedger {
    /// The hash that the header names as its predecessor's.
    var previousHash: Bytes32 { Bytes32(head[layout.previousHash..<layout.previousHash + 32]) }
}

/// A run of ledgers served as they are.
struct FolderLedgers: LedgerSupply {
    let available: ClosedRange<UInt32>
    private let ledgers: [SimulatedLedger]

    /// - Parameter ledgers: the ledgers of `run`, in order.
    init(_ run: ClosedRange<UInt32>, _ ledgers: [SimulatedLedger]) {
        available = run
        self.ledgers = ledgers
    }

    func ledger(_ sequence: UInt32) -> SimulatedLedger { ledgers[Int(sequence - available.lowerBound)] }

    func closeTime(of sequence: UInt32) -> UInt64 { ledger(sequence).closeTime }

    func prepare(through last: UInt32) {}
}
