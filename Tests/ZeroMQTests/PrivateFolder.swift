import Foundation

/// A folder of its own for the socket files of one test; short enough for a socket's path, gone with the last reference.
final class PrivateFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/zmq-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func endpoint(_ name: String = "s") -> String { "ipc://\(path)/\(name)" }
}
