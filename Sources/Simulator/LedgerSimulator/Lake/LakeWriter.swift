internal import Foundation

/// Writes ledgers as a data lake into a folder, oldest file first.
struct LakeWriter: Sendable {
    /// What was written.
    struct Summary: Sendable {
        var files = 0
        var bytes = 0
        /// The ledgers of the first and the last file.
        var ledgers: ClosedRange<UInt32>?
        /// Ledgers whose files would not have been full.
        var left: [ClosedRange<UInt32>] = []
    }

    let format: LakeFormat
    let folder: URL

    /// Writes each file that can be full, whole or not at all: under another name first.
    /// - Parameters:
    ///   - ledgers: those that there are.
    ///   - missing: ledgers whose files are left out: a lake with gaps.
    /// - Throws: `SimulatorError.write`, `.range`.
    func write(_ ledgers: ClosedRange<UInt32>, of supply: any LedgerSupply, missing: [UInt32]) async throws -> Summary {
        let gaps = Set(missing.map { format.file(of: $0) })
        var summary = Summary()
        var wave: [(key: String, ledgers: ClosedRange<UInt32>)] = []
        var next = ledgers.lowerBound
        while next <= ledgers.upperBound {
            let file = format.file(of: next)
            next = file.upperBound + 1
            guard let held = LakeFormat.ledgers(in: file) else { continue }
            guard ledgers.contains(held.lowerBound), ledgers.contains(held.upperBound) else {
                summary.left.append(held.clamped(to: ledgers))
                continue
            }
            if gaps.contains(file) { continue }
            wave.append((format.key(of: file), held))
            summary.ledgers = (summary.ledgers?.lowerBound ?? held.lowerBound)...held.upperBound
            summary.files += 1
            if wave.count == ProcessInfo.processInfo.activeProcessorCount {
                summary.bytes += try await write(wave, of: supply)
                wave = []
            }
        }
        summary.bytes += try await write(wave, of: supply)
        return summary
    }

    /// Writes the manifest.
    /// - Throws: `SimulatorError.write`.
    func writeManifest(passphrase: String) throws {
        try write(Array(format.manifest(passphrase: passphrase).utf8), to: LakeFormat.manifestKey)
    }

    /// Makes some files at once, and writes them in order: whoever reads the folder meanwhile sees it grow at its end only.
    private func write(_ wave: [(key: String, ledgers: ClosedRange<UInt32>)], of supply: any LedgerSupply) async throws -> Int {
        let objects = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            for (index, file) in wave.enumerated() {
                group.addTask { (index, try LakeFormat.object(file.ledgers, from: supply)) }
            }
            return try await group.reduce(into: [Int: [UInt8]]()) { $0[$1.0] = $1.1 }
        }
        for (index, file) in wave.enumerated() {
            try write(objects[index] ?? [], to: file.key)
        }
        return objects.values.reduce(0) { $0 + $1.count }
    }

    private func write(_ bytes: [UInt8], to key: String) throws {
        let path = folder.appendingPathComponent(key)
        do {
            try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            // Atomically: to a file of another name, which then gets this one.
            try Data(bytes).write(to: path, options: .atomic)
        } catch {
            throw SimulatorError.write(path: path.path, reason: error.localizedDescription)
        }
    }
}
