import Logging
import Pipeline
import Subprocess
import SystemPackage

/// Starts the workers of a managed run as processes of this machine, and starts them again when they die.
///
/// Each worker's standard input is a pipe whose other end this process holds: however the coordinator ends, the kernel closes it, and the workers
/// end with it. They are in process groups of their own, so that a Ctrl-C at the terminal reaches the coordinator alone, which ends them in order.
struct WorkerSupervisor: Sendable {
    /// A worker to keep running.
    struct Plan: Sendable {
        let role: WorkerRole
        let executable: String
        let arguments: [String]
        let environment: [String: String]
    }

    /// What happens to the processes.
    enum Event: Sendable {
        case exited(role: WorkerRole, pid: Int32, status: String)
        /// It died at once, several times in a row: starting it again will not help.
        case hopeless(role: WorkerRole, status: String)
    }

    private static let quick = Duration.seconds(5)
    private static let maxQuickDeaths = 6

    let plan: Plan
    let logger: Logger
    let report: @Sendable (Event) -> Void

    /// Keeps the worker running until the task is cancelled; then it gets five seconds to end before it is killed.
    func run() async {
        var quickDeaths = 0
        while !Task.isCancelled {
            let started = ContinuousClock.now
            let status = await runOnce()
            if Task.isCancelled { return }
            quickDeaths = ContinuousClock.now - started < Self.quick ? quickDeaths + 1 : 1
            if quickDeaths >= Self.maxQuickDeaths {
                report(.hopeless(role: plan.role, status: status))
                return
            }
            logger.warning("worker died, starting it again", metadata: ["role": "\(plan.role.rawValue)", "status": "\(status)"])
            // The first death is taken for an accident and mended at once.
            if quickDeaths > 1 { try? await Task.sleep(for: .milliseconds(200 << min(quickDeaths, 5))) }
        }
    }

    private func runOnce() async -> String {
        var platform = PlatformOptions()
        platform.processGroupID = 0
        platform.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(5))]
        do {
            let result = try await Subprocess.run(
                .path(FilePath(plan.executable)), arguments: Arguments(plan.arguments),
                environment: .custom(Dictionary(uniqueKeysWithValues: plan.environment.map { (Environment.Key(stringLiteral: $0), $1) })),
                platformOptions: platform, input: .inputWriter, output: .sequence, error: .currentStandardError
            ) { execution in
                let pid = execution.processIdentifier.value
                logger.info("worker started", metadata: ["role": "\(plan.role.rawValue)", "worker_pid": "\(pid)"])
                // Workers write nothing there: the end of the stream is the end of the process.
                for try await _ in execution.standardOutput {}
                return pid
            }
            let status = "\(result.terminationStatus)"
            report(.exited(role: plan.role, pid: result.closureResult, status: status))
            return status
        } catch {
            return "could not be run: \(error)"
        }
    }
}
