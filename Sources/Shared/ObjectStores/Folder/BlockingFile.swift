internal import Foundation
internal import Glibc
package import NIOCore

/// A file or folder that cannot be read, with the reason of the system.
package struct FileFailure: Error {
    /// `errno`.
    package var code: Int32
}

/// Calls of the system that block: for the threads of a pool only.
package enum BlockingFile {
    /// A whole file.
    ///
    /// - Returns: nil where there is none, or something that is not a file.
    /// - Throws: `FileFailure`, and `AnswerTooLarge` beyond the limit.
    package static func read(_ path: String, limit: Int) throws -> ByteBuffer? {
        let descriptor = retried { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR || errno == ENXIO { return nil }
            throw FileFailure(code: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw FileFailure(code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        let size = Int(status.st_size)
        guard size <= limit else { throw AnswerTooLarge(bytes: size, limit: limit) }
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        // One byte more than announced would be a file that is being written: what was there at first is what is read.
        while buffer.readableBytes < size {
            let rest = size - buffer.readableBytes
            var failure: Int32?
            let count = unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: rest) { bytes in
                let count = retried { unsafe Glibc.read(descriptor, bytes.baseAddress, rest) }
                if count < 0 { failure = errno }
                return max(0, count)
            }
            if let failure { throw FileFailure(code: failure) }
            if count == 0 { break }
        }
        return buffer
    }

    /// What the system says of a failure.
    package static func reason(_ error: any Error) -> String {
        switch error {
        case let error as FileFailure: unsafe String(cString: strerror(error.code))
        case let error as AnswerTooLarge: "\(error.bytes) bytes, where \(error.limit) are allowed"
        default: ServerWords.shown(String(describing: error))
        }
    }

    /// Whether a folder is there.
    package static func isFolder(_ path: String) throws -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw FileFailure(code: errno)
        }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a folder, those of folders with a slash at their end; nil where there is no such folder.
    package static func names(in path: String) throws -> [String]? {
        guard let folder = unsafe opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw FileFailure(code: errno)
        }
        defer { unsafe closedir(folder) }
        guard let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) else { throw FileFailure(code: ENOTSUP) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(folder) else {
                if errno != 0 { throw FileFailure(code: errno) }
                return names
            }
            // Read where it lies: an entry is shorter than its type, and a copy of the whole name would read behind the end of the folder's buffer.
            let name = unsafe String(cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
            if name == "." || name == ".." { continue }
            switch unsafe Int(entry.pointee.d_type) {
            case Int(DT_REG): names.append(name)
            case Int(DT_DIR): names.append(name + "/")
            case Int(DT_LNK), Int(DT_UNKNOWN):
                // A link may lead to a folder, and some file systems do not say what an entry is.
                names.append((try? isFolder("\(path)/\(name)")) == true ? name + "/" : name)
            default: break
            }
        }
    }

    private static func retried<Number: SignedInteger>(_ call: () -> Number) -> Number {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
