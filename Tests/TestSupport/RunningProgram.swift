public import Foundation
internal import Synchronization

/// One of this package's programs, started as an operator would start it: its exit status, its log lines, signals.
public final class RunningProgram: Sendable {
    private struct State {
        var lines: [String] = []
        /// Once the process has ended.
        var endedWith: Int32?
        var outputEnded = false
        var lineWaiters: [(needle: @Sendable (String) -> Bool, from: Int, continuation: CheckedContinuation<String?, Never>)] = []
        var exitWaiters: [CheckedContinuation<Int32, Never>] = []
        var partial: [UInt8] = []
        /// Once the process has ended and all that it, and the workers that share its output, wrote has been read.
        var status: Int32? { outputEnded ? endedWith : nil }
    }

    private let process: Process
    private let state = Mutex(State())

    /// The process id.
    public var pid: Int32 { process.processIdentifier }

    /// Starts a program that lies beside the test bundle.
    /// - Parameter environment: on top of this process's, less the variables that programs read settings from.
    public convenience init(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        try self.init(executable: Self.folder.appendingPathComponent(program), arguments, environment: environment)
    }

    /// Starts any program.
    public init(executable: URL, _ arguments: [String], environment: [String: String] = [:]) throws {
        process = Process()
        process.executableURL = executable
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment.filter { !Self.settings.contains($0.key) }
        variables["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = variables.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        process.terminationHandler = { [weak self] process in
            self?.ended(process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus)
        }
        try process.run()
        // A thread that blocks, not a dispatch source: it keeps the handle for as long as it reads.
        let handle = output.fileHandleForReading
        Thread.detachNewThread { [weak self] in
            while true {
                let bytes = handle.availableData
                self?.received(Array(bytes))
                if bytes.isEmpty { return }
            }
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Where the programs are: beside the test bundle.
    public static let folder: URL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    private static let settings: Set<String> = [
        "PROTOCOL_ID", "DATABASE_URL", "RPC_URL", "NETWORK_PASSPHRASE", "BATCH_SIZE", "FETCHERS", "ENDPOINT", "NETWORK", "CONVERGENCE_WAIT",
        "METRICS_PORT", "LOG_LEVEL", "LOG_FORMAT", "START_LEDGER", "OLDEST_LEDGER_CURSOR_NAME", "LATEST_LEDGER_CURSOR_NAME",
        "ROWS_ENDPOINT",
    ]

    /// All lines so far, standard output and error together.
    public var lines: [String] { state.withLock { $0.lines } }

    /// The lines as one text, for messages.
    public var log: String { lines.joined(separator: "\n") }

    /// Waits for the end; 128 + the signal where a signal ended it. A test whose time is up kills the program, so that nothing waits for ever.
    public func exit() async -> Int32 {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let status = state.withLock { state in
                    if state.status == nil { state.exitWaiters.append(continuation) }
                    return state.status
                }
                if let status { continuation.resume(returning: status) }
            }
        } onCancel: {
            send(SIGKILL)
        }
    }

    /// Waits for a line that fits, among those after the first `from`; nil where the program ended without one.
    public func line(from: Int = 0, where fits: @escaping @Sendable (String) -> Bool) async -> String? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let found: String?? = state.withLock { state in
                    if let line = state.lines.dropFirst(from).first(where: fits) { return line }
                    if state.status != nil { return .some(nil) }
                    state.lineWaiters.append((fits, from, continuation))
                    return nil
                }
                if let found { continuation.resume(returning: found) }
            }
        } onCancel: {
            send(SIGKILL)
        }
    }

    /// Waits for a line that contains a text.
    public func line(containing text: String, from: Int = 0) async -> String? {
        await line(from: from) { $0.contains(text) }
    }

    /// The lines so far that contain a text.
    public func lines(containing text: String) -> [String] { lines.filter { $0.contains(text) } }

    /// Sends a signal.
    public func send(_ signal: Int32) { kill(pid, signal) }

    private func received(_ bytes: [UInt8]) {
        state.withLock { state in
            if bytes.isEmpty {
                state.outputEnded = true
                if !state.partial.isEmpty { state.partial.append(0x0A) }
            }
            state.partial += bytes
            while let end = state.partial.firstIndex(of: 0x0A) {
                let line = String(decoding: state.partial[..<end], as: UTF8.self)
                state.partial.removeSubrange(...end)
                state.lines.append(line)
                state.lineWaiters.removeAll { waiter in
                    guard state.lines.count > waiter.from, waiter.needle(line) else { return false }
                    waiter.continuation.resume(returning: line)
                    return true
                }
            }
            Self.release(&state)
        }
    }

    private func ended(_ status: Int32) {
        state.withLock { state in
            state.endedWith = status
            Self.release(&state)
        }
    }

    /// Of the two ends, of the output and of the process, whichever comes last ends the run: no line is missed.
    private static func release(_ state: inout State) {
        guard let status = state.status else { return }
        for waiter in state.exitWaiters { waiter.resume(returning: status) }
        for waiter in state.lineWaiters { waiter.continuation.resume(returning: nil) }
        state.exitWaiters = []
        state.lineWaiters = []
    }
}
