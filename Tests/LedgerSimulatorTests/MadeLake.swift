import Foundation
import TestSupport
import Testing
import Zstd

/// A lake that the simulator wrote into a folder of its own, which goes with the body.
struct MadeLake {
    let folder: URL
    /// What the command said.
    let said: String

    /// The ledgers of `SimulatorClient.made`, from 100 on, fewer of them.
    static let ledgers = ["--seed", "3", "--first", "100", "--count", "40", "--ledger-bytes", "20000"]

    static func with<Value>(
        _ arguments: [String], of ledgers: [String] = ledgers, _ body: (MadeLake) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lake-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let lake = try RunningProgram("ledger-simulator", ["lake", "--out", folder.path] + ledgers + arguments)
        #expect(await lake.exit() == 0, "\(lake.log)")
        return try await body(MadeLake(folder: folder, said: lake.log))
    }

    /// All files, the manifest included, sorted.
    var keys: [String] {
        get throws {
            try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { key in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: folder.appendingPathComponent(key).path, isDirectory: &isFolder)
                    && !isFolder.boolValue
            }.sorted()
        }
    }

    /// The files with ledgers, oldest first.
    var files: [String] { get throws { try keys.filter { $0 != ".config.json" }.reversed() } }

    func bytes(_ key: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(key)) }

    /// The batch that a file holds: first ledger, last ledger, how many, and their bytes.
    func batch(_ key: String) throws -> (first: UInt32, last: UInt32, count: UInt32, ledgers: ArraySlice<UInt8>) {
        let content = try Self.content(try bytes(key))
        let words = stride(from: 0, to: 12, by: 4).map { at in content[at..<at + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        return (words[0], words[1], words[2], content[12...])
    }

    /// What a frame holds; throws where it is damaged or cut.
    static func content(_ frame: Data) throws -> [UInt8] {
        let frame = Array(frame)
        var stream = try ZstdStream()
        var content = [UInt8](repeating: 0, count: 4 << 20)
        var offset = 0
        let count = try stream.read(frame.span, from: &offset, into: &content, at: 0..<content.count)
        guard stream.isAtEndOfFrame, offset == frame.count else { throw ZstdError.damaged("cut") }
        return Array(content[..<count])
    }
}
