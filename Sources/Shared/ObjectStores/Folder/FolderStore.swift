internal import Glibc
package import NIOCore
internal import NIOPosix

/// Objects that are files below a folder.
///
/// Whoever writes there may not do so at once: half a file can be seen.
package final class FolderStore: ObjectStore {
    package let address: String
    private let folder: String
    private let pool: NIOThreadPool

    package init(_ folder: String, _ options: ObjectStoreOptions) {
        self.folder = folder == "/" ? "" : folder
        address = "file://\(folder)"
        pool = NIOThreadPool(numberOfThreads: max(4, options.eventLoopThreads))
        pool.start()
    }

    package func get(
        _ key: String, limit: Int, onArrival: @escaping @Sendable () -> Void
    ) async throws(ObjectStoreError) -> ByteBuffer? {
        try HTTPStore.requirePlain(key, address)
        let folder = folder
        return try await run(key) {
            if let bytes = try BlockingFile.read("\(folder)/\(key)", limit: limit) {
                onArrival()
                return bytes
            }
            // A folder that was not mounted is not one without files.
            guard try BlockingFile.isFolder(folder.isEmpty ? "/" : folder) else { throw NoFolder() }
            return nil
        }
    }

    package func list(prefix: String, limit: Int) async throws(ObjectStoreError) -> [String]? {
        let folder = folder
        guard !prefix.split(separator: "/").contains("..") else {
            throw ObjectStoreError(.invalidKey, "a prefix with .. cannot be listed", address: address, key: prefix)
        }
        return try await run(nil) {
            guard try BlockingFile.isFolder(folder.isEmpty ? "/" : folder) else { throw NoFolder() }
            var keys: [String] = []
            try Self.walk(folder, "", prefix: prefix, limit: limit, &keys)
            return keys
        }
    }

    package func shutdown() async {
        try? await pool.shutdownGracefully()
    }

    private struct NoFolder: Error {}

    /// Adds the keys below a folder in their order: that of their bytes, in which `a-1` comes before `a/1`.
    private static func walk(_ root: String, _ folder: String, prefix: String, limit: Int, _ keys: inout [String]) throws {
        // A folder that is gone by now has no keys.
        guard let names = try BlockingFile.names(in: "\(root)/\(folder)") else { return }
        let candidates = names.map { folder + $0 }.filter {
            $0.utf8.starts(with: prefix.utf8) || ($0.hasSuffix("/") && prefix.hasPrefix($0))
        }
        for name in candidates.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if keys.count >= limit { return }
            if name.hasSuffix("/") {
                try walk(root, name, prefix: prefix, limit: limit, &keys)
            } else {
                keys.append(name)
            }
        }
    }

    private func run<Value: Sendable>(
        _ key: String?, _ work: @escaping @Sendable () throws -> Value
    ) async throws(ObjectStoreError) -> Value {
        do { return try await pool.runIfActive(work) } catch { throw failure(error).asked(of: address, key: key) }
    }

    private func failure(_ error: any Error) -> ObjectStoreError {
        switch error {
        case is NoFolder: return ObjectStoreError(.noSuchBucket, "there is no such folder; check the path and what is mounted there")
        // The pool throws the same when it has ended.
        case is CancellationError where Task.isCancelled: return ObjectStoreError(.cancelled, "cancelled")
        case let error as AnswerTooLarge:
            return ObjectStoreError(.tooLarge, "a file of \(error.bytes) bytes, where \(error.limit) are allowed")
        case let error as FileFailure where error.code == EACCES || error.code == EPERM:
            return ObjectStoreError(.denied, "this user may not read it; grant the right to")
        case is FileFailure: return ObjectStoreError(.serverFailure, "cannot be read: \(BlockingFile.reason(error))")
        default: return ObjectStoreError(.closed, "the store was shut down")
        }
    }
}
