import Logging
import Pipeline
import Subprocess
import Synchronization
import SystemPackage
import ZeroMQ

/// The workers of a managed run, as processes of this machine that are started again when they die.
///
/// Each worker's standard input is a pipe whose other end this process holds: however the coordinator ends, the kernel closes it, and the workers
/// end with it. They are in process groups of their own, so that a Ctrl-C at the terminal reaches the coordinator alone, which ends them in order.
/// Each start has a token, known to that process only: by it a registration is known to be a process of ours, and only such are ever signalled.
final class WorkerProcesses: Sendable {
    /// A worker to keep running.
    struct Plan: Sendable {
        let role: WorkerRole
        let executable: String
        let arguments: [String]
        let environment: [String: String]
    }

    private struct Child: Sendable {
        let kill: @Sendable () -> Void
        var hasRegistered = false
    }

    private struct Death {
        let status: String
        let hadRegistered: Bool
    }

    /// The environment variable by which a worker gets its token.
    static let tokenVariable = "WORKER_TOKEN"
    private static let quick = Duration.seconds(5)
    /// Deaths in a row, each within five seconds: without ever registering, and with.
    private static let maxQuickDeaths = 6
    private static let maxQuickDeathsAfterRegistration = 60

    private let plans: [Plan]
    private let errorOutput: FileDescriptor
    private let logger: Logger
    private let children = Mutex<[String: Child]>([:])

    /// - Parameter errorOutput: the standard error of all of them.
    init(_ plans: [Plan], errorOutput: FileDescriptor = .standardError, logger: Logger) {
        self.plans = plans
        self.errorOutput = errorOutput
        self.logger = logger
    }

    /// Keeps all workers running until the task is cancelled; then each gets five seconds to end before it is killed.
    func run(_ report: @escaping @Sendable (CoordinatorEvent<PeerID>) -> Void) async {
        await withDiscardingTaskGroup { group in
            for plan in plans { group.addTask { await self.keepRunning(plan, report) } }
        }
    }

    /// Ends a process that was started here; does nothing for any other token.
    func kill(_ token: String) {
        children.withLock { $0[token]?.kill() }
    }

    /// The process with this token can be run.
    func registered(_ token: String) {
        children.withLock { $0[token]?.hasRegistered = true }
    }

    private func keepRunning(_ plan: Plan, _ report: @Sendable (CoordinatorEvent<PeerID>) -> Void) async {
        var quickDeaths = 0
        var quickDeathsBeforeRegistration = 0
        while !Task.isCancelled {
            let started = ContinuousClock.now
            let death = await runOnce(plan, report)
            if Task.isCancelled { return }
            let wasQuick = ContinuousClock.now - started < Self.quick
            quickDeaths = wasQuick ? quickDeaths + 1 : 1
            quickDeathsBeforeRegistration = wasQuick && !death.hadRegistered ? quickDeathsBeforeRegistration + 1 : 0
            if quickDeathsBeforeRegistration >= Self.maxQuickDeaths || quickDeaths >= Self.maxQuickDeathsAfterRegistration {
                return report(.childGivenUp(role: plan.role, status: death.status))
            }
            logger.warning("worker died, starting it again", metadata: ["role": "\(plan.role.rawValue)", "status": "\(death.status)"])
            // The first death is taken for an accident and mended at once.
            if quickDeaths > 1 { try? await Task.sleep(for: .milliseconds(200 << min(quickDeaths, 5))) }
        }
    }

    private func runOnce(_ plan: Plan, _ report: @Sendable (CoordinatorEvent<PeerID>) -> Void) async -> Death {
        let token = Self.newToken()
        var environment = plan.environment
        environment[Self.tokenVariable] = token
        var platform = PlatformOptions()
        platform.processGroupID = 0
        platform.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(5))]
        do {
            let result = try await Subprocess.run(
                .path(FilePath(plan.executable)), arguments: Arguments(plan.arguments),
                environment: .custom(Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0), $1) })),
                platformOptions: platform, input: .inputWriter, output: .sequence,
                error: .fileDescriptor(errorOutput, closeAfterSpawningProcess: false)
            ) { execution in
                let pid = execution.processIdentifier.value
                // Taken out before the process is waited for: its number cannot have gone to another.
                children.withLock { $0[token] = Child { try? execution.send(signal: .kill) } }
                logger.info("worker started", metadata: ["role": "\(plan.role.rawValue)", "worker_pid": "\(pid)"])
                defer { logger.debug("worker's output has ended", metadata: ["worker_pid": "\(pid)"]) }
                // Workers write nothing there: the end of the stream is the end of the process.
                for try await _ in execution.standardOutput {}
                return children.withLock { $0.removeValue(forKey: token) }?.hasRegistered ?? false
            }
            let crashed = if case .signaled = result.terminationStatus { true } else { false }
            report(.childExited(token: token, status: "\(result.terminationStatus)", crashed: crashed))
            return Death(status: "\(result.terminationStatus)", hadRegistered: result.closureResult)
        } catch {
            _ = children.withLock { $0.removeValue(forKey: token) }
            return Death(status: "could not be run: \(error)", hadRegistered: false)
        }
    }

    private static func newToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next() as UInt64, radix: 36) + String(generator.next() as UInt64, radix: 36)
    }
}
