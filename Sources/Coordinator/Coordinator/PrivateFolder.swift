import Foundation
import Glibc
import Operations

/// A folder that only this user can enter (0700), for the sockets of one run.
struct PrivateFolder: Sendable {
    /// Absolute path.
    let path: String

    /// Makes a folder of an unused name below TMPDIR or /tmp.
    init(prefix: String) throws(Failure) {
        let base = ProcessEnvironment.current["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        Self.sweep(base, prefix)
        var random = SystemRandomNumberGenerator()
        let path = "\(base)/\(prefix)\(getpid())-\(String(random.next() as UInt64, radix: 36))"
        // FileManager would set the permissions only after the folder is there.
        guard mkdir(path, 0o700) == 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
        self.path = path
    }

    /// Removes what runs that were killed left behind: folders of this prefix whose process is gone. Those of other users cannot be removed anyway.
    private static func sweep(_ base: String, _ prefix: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? [] where name.hasPrefix(prefix) {
            guard let pid = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }), pid > 0, kill(pid, 0) != 0, errno == ESRCH else {
                continue
            }
            try? FileManager.default.removeItem(atPath: "\(base)/\(name)")
        }
    }

    /// Removes the folder with the socket files in it.
    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The folder could not be made.
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let reason: String
        var description: String {
            "the private folder \(path) for the workers' sockets cannot be made: \(reason); set TMPDIR to a folder that is writable"
        }
    }
}

/// Where this program and its siblings lie.
enum ProgramFolder {
    /// The folder of the running program.
    static func path() throws -> String {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: program).deletingLastPathComponent().path
    }
}
