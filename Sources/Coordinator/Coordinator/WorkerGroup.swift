import Glibc
import Logging
import Membership
import Operations
import Pipeline
import SystemPackage
import ZeroMQ

/// The socket where the workers register, and, in a managed run, the worker processes themselves.
struct WorkerGroup: Sendable {
    let switchboard: Switchboard
    private let loop: SocketLoop
    private let folder: PrivateFolder?
    private let plans: [WorkerSupervisor.Plan]
    private let logger: Logger

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
        let router = try await loop.bindRouter(endpoint)
        logger.info(
            configuration.fetchers > 0 ? "workers will be started here" : "waiting for workers that are started elsewhere",
            metadata: ["endpoint": "\(router.endpoint)", "fetchers": "\(configuration.fetchers)"])
        return WorkerGroup(
            switchboard: Switchboard(router: router, run: run, logger: logger), loop: loop, folder: folder,
            plans: configuration.fetchers > 0 ? try configuration.workerPlans(endpoint: router.endpoint) : [], logger: logger)
    }

    /// Runs the body while workers are kept alive and their messages come in; afterwards takes the workers down.
    func run<Result: Sendable>(
        _ report: @escaping @Sendable (CoordinatorEvent) -> Void, _ body: () async -> Result
    ) async -> Result {
        await withDiscardingTaskGroup(returning: Result.self) { group in
            group.addTask {
                do {
                    try await switchboard.receive { report(.message($0, $1)) }
                } catch {
                    report(.broken("the coordinator's socket failed: \(error)"))
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: CoordinatorLink.heartbeatInterval)) != nil { report(.tick) }
            }
            for plan in plans {
                group.addTask { await WorkerSupervisor(plan: plan, logger: logger) { report(.worker($0)) }.run() }
            }
            let result = await body()
            group.cancelAll()
            return result
        }
    }

    /// Closes the socket and removes its folder.
    func close() async {
        switchboard.close()
        await loop.shutdown()
        folder?.remove()
    }
}

extension HistoryConfiguration {
    /// The writer and the fetchers of a managed run. Secrets go by environment, which other users cannot read; fetchers get none.
    func workerPlans(endpoint: Endpoint) throws -> [WorkerSupervisor.Plan] {
        let programs = try ProgramFolder.path()
        let common = ["--endpoint", "\(endpoint)", "--parent-lifeline"] + workerArguments
        var environment = ProcessEnvironment.current
        for secret in ["DATABASE_URL", "RPC_URL", "ENDPOINT", "ROWS_ENDPOINT", "PGPASSWORD"] { environment[secret] = nil }
        var forWriter = environment
        forWriter["DATABASE_URL"] = databaseText
        forWriter["PGPASSWORD"] = ProcessEnvironment.current["PGPASSWORD"]
        var forFetcher = environment
        forFetcher["RPC_URL"] = rpcURL
        let writer = WorkerSupervisor.Plan(
            role: .writer, executable: programs + "/wallet-backend-writer", arguments: common, environment: forWriter)
        let fetcher = WorkerSupervisor.Plan(
            role: .fetcher, executable: programs + "/wallet-backend-fetcher", arguments: common, environment: forFetcher)
        return [writer] + Array(repeating: fetcher, count: fetchers)
    }
}
