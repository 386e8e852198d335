internal import Glibc

/// The file of a listening ipc socket, and what may lie at its path before.
struct SocketFile {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Remembers the file that was just made; nil where it is gone already.
    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another socket has taken its place.
    func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }

    /// Lets only an absent file or the socket of a dead process pass.
    ///
    /// libzmq removes whatever lies at the path before it binds: a live listener's socket and any other file just as well.
    static func checkFree(_ path: String) throws(ZeroMQError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw ZeroMQError(.bindFailed, "ipc://\(path)", systemError: errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ZeroMQError(
                .endpointInUse, "ipc://\(path): something that is not a socket lies there; move it away or choose another path")
        }
        guard !isAlive(path) else {
            throw ZeroMQError(.endpointInUse, "ipc://\(path): another process listens there; stop it or choose another path")
        }
    }

    /// Whether somebody accepts connections there; a socket left behind by a dead process refuses them.
    private static func isAlive(_ path: String) -> Bool {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return true }
        defer { close(probe) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(Endpoint.longestPath)) }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        return result == 0 || errno != ECONNREFUSED
    }
}
