internal import Foundation
internal import Synchronization

/// The files of a data lake in a folder, of which the newest may be yet to appear.
final class ServedLake: Sendable {
    /// A file of the lake.
    struct File: Sendable {
        let key: String
        let path: URL
        /// The ledgers that it holds, by its name.
        let ledgers: ClosedRange<UInt32>
        /// Its place, oldest first.
        let index: Int
    }

    /// Oldest first.
    let files: [File]
    /// Nil where the lake has none.
    let manifest: URL?
    private let byKey: [String: File]
    private let visible: Mutex<Int>

    /// Lists a folder.
    /// - Parameter visible: how many files there are at the start; nil: all.
    /// - Throws: `SimulatorError.folder`.
    init(path: String, visible: Int?) throws(SimulatorError) {
        let folder = URL(fileURLWithPath: path, isDirectory: true)
        let keys: [String]
        do {
            keys = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        } catch {
            throw .folder(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
        let found = keys.compactMap { key in
            LakeFormat.file(ofKey: key).flatMap { LakeFormat.ledgers(in: $0) }.map { (key: key, ledgers: $0) }
        }
        files = found.sorted { $0.ledgers.lowerBound < $1.ledgers.lowerBound }.enumerated().map { index, file in
            File(key: file.key, path: folder.appendingPathComponent(file.key), ledgers: file.ledgers, index: index)
        }
        guard !files.isEmpty else { throw .folder(path: path, reason: "holds no ledger files of a data lake") }
        byKey = Dictionary(files.map { ($0.key, $0) }) { first, _ in first }
        manifest = keys.contains(LakeFormat.manifestKey) ? folder.appendingPathComponent(LakeFormat.manifestKey) : nil
        self.visible = Mutex(min(visible ?? files.count, files.count))
    }

    /// The file with that key, if it has appeared.
    func file(_ key: String) -> File? {
        guard let file = byKey[key], file.index < visible.withLock({ $0 }) else { return nil }
        return file
    }

    /// Another file than that one, whether or not it has appeared; nil where there is none.
    func neighbour(of file: File) -> File? {
        if file.index > 0 { return files[file.index - 1] }
        return files.count > 1 ? files[1] : nil
    }

    /// Lets one more file appear; false where there is no further one.
    func close() -> Bool {
        visible.withLock { visible in
            guard visible < files.count else { return false }
            visible += 1
            return true
        }
    }
}
