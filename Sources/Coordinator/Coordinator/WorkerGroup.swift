import ConnectionOptions
import Foundation
import Glibc
import Logging
import Membership
import Operations
import Pipeline
import SystemPackage
import ZeroMQ

/// The socket where the workers register, and, in a managed run, the worker processes themselves.
struct WorkerGroup: Sendable {
    let socket: ControlSocket
    let processes: WorkerProcesses
    private let loop: SocketLoop
    private let folder: PrivateFolder?

    /// What workers say is short: a worker's longest message is a heartbeat with its batches.
    private static let limits = SocketLimits(longestFrame: 1 << 20, framesPerMessage: 4, backlogBytes: 64 << 20)

    /// Binds the socket; starts nothing yet.
    static func open(_ configuration: HistoryConfiguration, run: RunID, logger: Logger) async throws -> WorkerGroup {
        var folder: PrivateFolder?
        let endpoint: Endpoint
        if let given = configuration.endpoint {
            endpoint = given
        } else {
            let made = try PrivateFolder(prefix: "wallet-backend-")
            endpoint = try Endpoint(ipcPath: made.path + "/coordinator")
            folder = made
        }
        let loop = try SocketLoop(name: "coordinator")
        let router = try await loop.bindRouter(endpoint, limits: limits)
        logger.info(
            configuration.fetchers > 0 ? "workers will be started here" : "waiting for workers that are started elsewhere",
            metadata: ["endpoint": "\(router.endpoint)", "fetchers": "\(configuration.fetchers)"])
        // Below the log there is a block that only this process's lines leave whole.
        let relay = configuration.progress == .block ? LogRelay.open() : nil
        let errorOutput = relay.map { FileDescriptor(rawValue: $0) } ?? .standardError
        let plans = configuration.fetchers > 0 ? try configuration.workerPlans(endpoint: router.endpoint) : []
        return WorkerGroup(
            socket: ControlSocket(router: router, run: run, logger: logger),
            processes: WorkerProcesses(plans, errorOutput: errorOutput, logger: logger), loop: loop,
            folder: folder)
    }

    /// Closes the socket and removes its folder, and what killed writers have left beside it.
    func close() async {
        socket.close()
        await loop.shutdown()
        RowsEndpoint.removeAbandoned(beside: socket.endpoint)
        folder?.remove()
    }
}

extension HistoryConfiguration {
    /// The writer and the fetchers of a managed run. Secrets go by environment, which other users cannot read; each worker gets only its own:
    /// fetchers nothing of the database, the writer nothing of the source of ledgers.
    func workerPlans(endpoint: Endpoint) throws -> [WorkerProcesses.Plan] {
        let programs = try ProgramFolder.path()
        let common = ["--endpoint", "\(endpoint)", "--parent-lifeline"] + workerArguments
        let forBoth = environment.filter { !Self.ownVariables.contains($0.key) && !LedgerSourceOptions.isSetting($0.key) }
        var forWriter = forBoth.filter { !LedgerSourceOptions.isCredential($0.key) }
        forWriter["DATABASE_URL"] = databaseText
        // What libpq itself reads: password, password file, service file, certificates.
        var forFetcher = forBoth.filter { !$0.key.hasPrefix("PG") }
        forFetcher.merge(source.environment) { $1 }
        let writer = WorkerProcesses.Plan(
            role: .writer, executable: programs + "/wallet-backend-writer", arguments: common, environment: forWriter)
        let fetcher = WorkerProcesses.Plan(
            role: .fetcher, executable: programs + "/wallet-backend-fetcher", arguments: common, environment: forFetcher)
        return [writer] + Array(repeating: fetcher, count: fetchers)
    }

    /// Not for workers: secrets that only some need, and the coordinator's own ports, which nobody else can have.
    private static let ownVariables: Set<String> = [
        "DATABASE_URL", "ENDPOINT", "ROWS_ENDPOINT", "METRICS_PORT", "STATUS_PORT", WorkerProcesses.tokenVariable,
    ]
}

/// Where this program and its siblings lie.
package enum ProgramFolder {
    /// The folder of the running program.
    package static func path() throws -> String {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: program).deletingLastPathComponent().path
    }
}
