internal import COperations
internal import Foundation
internal import Glibc

/// A folder that only this user can enter (0700), for the sockets of one process; it goes when it is removed or nobody holds it.
///
/// A file in it stays locked (flock) for as long as the process lives, and no longer, however it ends. So another process can tell, also
/// from another PID namespace, where process ids mean nothing, which folders are left of dead ones: whoever makes a folder removes those
/// of the same prefix first.
public final class PrivateFolder: Sendable {
    /// Absolute path.
    public let path: String
    private let lock: Int32

    /// Makes a folder of an unused name.
    ///
    /// - Parameters:
    ///   - prefix: begins the name. What else begins so and is the private folder of a dead process is removed.
    ///   - parent: an absolute path; nil: TMPDIR or /tmp.
    /// - Throws: `OperationsError` with the path and the reason.
    public init(prefix: String, in parent: String? = nil) throws(OperationsError) {
        let parent = parent ?? Self.temporaryFolder
        Self.removeDead(prefix: prefix, in: parent)
        // Until its lock is held the folder is as good as a dead process's, and may be removed: then another one is made.
        var reason = EAGAIN
        for _ in 0..<100 {
            let path = "\(parent)/\(prefix)\(String(UInt64.random(in: 0 ... .max), radix: 36))"
            // FileManager would set the permissions only after the folder is there.
            guard unsafe mkdir(path, 0o700) == 0 else {
                reason = errno
                if reason == EEXIST { continue }
                break
            }
            let lock = unsafe Glibc.open("\(path)/\(Self.lockName)", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            reason = lock >= 0 ? take_file_lock(lock) : errno
            if reason == 0, Self.exists(lock) {
                self.path = path
                self.lock = lock
                return
            }
            if lock >= 0 { close(lock) }
            guard [0, ENOENT, EWOULDBLOCK].contains(reason) else {
                unsafe unlink("\(path)/\(Self.lockName)")
                unsafe rmdir(path)
                break
            }
        }
        throw OperationsError(
            "a private folder for sockets, \(parent)/\(prefix)..., cannot be made: \(unsafe String(cString: strerror(reason))); "
                + "set TMPDIR to, or choose an endpoint in, a folder that this user may write to")
    }

    deinit {
        remove()
        close(lock)
    }

    /// Removes the folder with the socket files in it. Idempotent.
    public func remove() {
        // Without its lock file it is gone already.
        guard Self.exists(lock), let folder = Self.open(path) else { return }
        Self.empty(folder)
        unsafe rmdir(path)
        close(folder)
    }

    /// Removes what processes that were killed left behind: folders of this prefix and this user whose lock nobody holds. Symbolic
    /// links are not followed.
    public static func removeDead(prefix: String, in parent: String? = nil) {
        let parent = parent ?? temporaryFolder
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            let path = "\(parent)/\(name)"
            guard let folder = open(path) else { continue }
            defer { close(folder) }
            let lock = unsafe Glibc.openat(folder, lockName, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
            if lock >= 0 {
                defer { close(lock) }
                guard take_file_lock(lock) == 0 else { continue }
                empty(folder)
            } else if errno != ENOENT {
                continue
            }
            // Without a lock file it was made a moment ago, or its removal was cut off right before this. A folder that is not empty stays.
            unsafe rmdir(path)
        }
    }

    private static let lockName = "lock"

    private static var temporaryFolder: String {
        ProcessEnvironment.current["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    }

    /// A folder, not a link to one, of this user, that nobody else can enter.
    private static func open(_ path: String) -> Int32? {
        let folder = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else { return nil }
        var status = stat()
        guard unsafe fstat(folder, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o7777 == 0o700 else {
            close(folder)
            return nil
        }
        return folder
    }

    /// Whether an open file still has a name.
    private static func exists(_ file: Int32) -> Bool {
        var status = stat()
        return unsafe fstat(file, &status) == 0 && status.st_nlink > 0
    }

    /// Removes the files of a folder, the lock last: what is cut off half-way can be done again. Folders in it are not ours and stay.
    private static func empty(_ folder: Int32) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd/\(folder)")) ?? []
        for name in names where name != lockName { unsafe unlinkat(folder, name, 0) }
        unsafe unlinkat(folder, lockName, 0)
    }
}
