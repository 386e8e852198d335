internal import Foundation
public import Operations
public import ZeroMQ

/// Where a writer listens for rows unless one is given: beside the coordinator's endpoint.
public enum RowsEndpoint {
    /// `--rows-endpoint`.
    public static let setting = Setting(
        "rows-endpoint", variable: "ROWS_ENDPOINT", "Where fetchers bring rows; beside --endpoint unless given.",
        .parsed(placeholder: "endpoint") { try Endpoint($0) })

    /// An endpoint of its own for each writer: a socket file named for nobody else (process ids mean nothing in another namespace), or on tcp any
    /// free port.
    /// - Throws: `ZeroMQError` where the path is too long.
    public static func new(beside coordinator: Endpoint) throws(ZeroMQError) -> Endpoint {
        switch coordinator.transport {
        case .ipc(let path): try Endpoint(ipcPath: prefix(path) + String(UInt64.random(in: 0 ... .max), radix: 36))
        case .tcp(let host, _): try Endpoint("tcp://\(host.contains(":") ? "[\(host)]" : host):*")
        }
    }

    /// Removes the socket files that killed writers have left beside the coordinator's: those that refuse connections.
    public static func removeAbandoned(beside coordinator: Endpoint) {
        guard case .ipc(let path) = coordinator.transport else { return }
        let folder = (path as NSString).deletingLastPathComponent
        let name = (prefix(path) as NSString).lastPathComponent
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        SocketLoop.removeAbandonedSockets(files.filter { $0.hasPrefix(name) }.map { "\(folder)/\($0)" })
    }

    private static func prefix(_ path: String) -> String { path + "-rows-" }
}
