public import Foundation
internal import Synchronization
public import Testing

/// One of this package's programs, started as an operator would start it: its exit status, its log lines, signals.
public final class RunningProgram: Sendable {
    private struct State {
        var lines: [String] = []
        /// Once the process has ended.
        var endedWith: Int32?
        var outputEnded = false
        var waiters: [Int: Waiter] = [:]
        var lastWaiter = 0
        var partial: [UInt8] = []
        /// Once the process has ended and all that it, and the workers that share its output, wrote has been read.
        var status: Int32? { outputEnded ? endedWith : nil }
    }

    /// Waits for a line or for the end.
    private struct Waiter {
        var needle: (@Sendable (String) -> Bool)?
        var from = 0
        /// Called once; nil at the end of the process.
        let resume: (String?) -> Void
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
        // A thread that blocks, not a dispatch source: it keeps the handle for as long as it reads. It closes it, too: nobody else does, and where
        // hundreds are open, Foundation's search for open files reads behind the end of its list.
        let handle = output.fileHandleForReading
        Thread.detachNewThread { [weak self] in
            while true {
                let bytes = handle.availableData
                self?.received(Array(bytes))
                if bytes.isEmpty { return (try? handle.close()) ?? () }
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
        "ROWS_ENDPOINT", "PROGRESS", "STATUS_PORT", "STATUS_ADDRESS", "CONFIG",
    ]

    /// All lines so far, standard output and error together.
    public var lines: [String] { state.withLock { $0.lines } }

    /// The lines as one text, for messages.
    public var log: String { lines.joined(separator: "\n") }

    /// Waits for the end; 128 + the signal where a signal ended it. A program that does not end in time is killed, and an issue recorded.
    public func exit(within limit: Duration = .seconds(600), at location: SourceLocation = #_sourceLocation) async -> Int32 {
        _ = await wait(for: "the end", nil, from: 0, limit, location)
        return state.withLock { $0.status } ?? 128 + SIGKILL
    }

    /// Waits for a line that fits, among those after the first `from`; nil where the program ended without one. Where none comes in time, the
    /// program is killed, and an issue recorded.
    public func line(
        from: Int = 0, within limit: Duration = .seconds(180), at location: SourceLocation = #_sourceLocation,
        where fits: @escaping @Sendable (String) -> Bool
    ) async -> String? {
        await wait(for: "a line that fits", fits, from: from, limit, location)
    }

    /// Waits for a line that contains a text.
    public func line(
        containing text: String, from: Int = 0, within limit: Duration = .seconds(180), at location: SourceLocation = #_sourceLocation
    ) async -> String? {
        await wait(for: "a line that contains \"\(text)\"", { $0.contains(text) }, from: from, limit, location)
    }

    /// The lines so far that contain a text.
    public func lines(containing text: String) -> [String] { lines.filter { $0.contains(text) } }

    /// Sends a signal.
    public func send(_ signal: Int32) { kill(pid, signal) }

    /// Stops the program, and returns when it is seen to stand still.
    public func suspend() async throws { try await suspendProcess(pid) }

    /// Lets it go on.
    public func resume() { send(SIGCONT) }

    /// A wait has a name and a limit: nothing waits for ever, and whoever reads the results sees what did not come. A test that is cancelled kills
    /// the program, too.
    private func wait(
        for what: String, _ needle: (@Sendable (String) -> Bool)?, from: Int, _ limit: Duration, _ location: SourceLocation
    ) async -> String? {
        let timer = Task { [weak self] in
            try await Task.sleep(for: limit)
            guard let self else { return }
            Issue.record(
                "\(process.executableURL?.lastPathComponent ?? "the program") was killed: waited \(limit) for \(what); its log:\n\(log)",
                sourceLocation: location)
            send(SIGKILL)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let found: String?? = state.withLock { state in
                    if let needle, let line = state.lines.dropFirst(from).first(where: needle) { return line }
                    if state.status != nil { return .some(nil) }
                    state.lastWaiter += 1
                    state.waiters[state.lastWaiter] = Waiter(needle: needle, from: from) { continuation.resume(returning: $0) }
                    return nil
                }
                if let found { continuation.resume(returning: found) }
            }
        } onCancel: {
            send(SIGKILL)
        }
    }

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
                for (number, waiter) in state.waiters where state.lines.count > waiter.from && waiter.needle?(line) == true {
                    waiter.resume(line)
                    state.waiters[number] = nil
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
        guard state.status != nil else { return }
        for waiter in state.waiters.values { waiter.resume(nil) }
        state.waiters = [:]
    }
}

/// A process that was told to stop and did not.
public struct StillRunning: Error {
    /// The process.
    public let pid: Int32
    /// The letters of its threads' states, as in /proc/PID/stat.
    public let states: String
}

/// Stops any process (SIGSTOP), and returns when all its threads are seen to stand still: on a loaded machine that takes its time.
///
/// - Throws: `StillRunning` where that took longer than `limit`, or where there is no such process.
public func suspendProcess(_ pid: Int32, within limit: Duration = .seconds(60)) async throws {
    kill(pid, SIGSTOP)
    let deadline = ContinuousClock.now + limit
    while true {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let states = threads.compactMap { thread in
            // The state follows the name, which is in parentheses and may hold some.
            (try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/stat", encoding: .utf8))
                .flatMap { text in text.lastIndex(of: ")").map { text[$0...].dropFirst(2).first ?? "?" } }
        }
        if !states.isEmpty, states.allSatisfy({ $0 == "T" }) { return }
        guard ContinuousClock.now < deadline, !threads.isEmpty, states != ["Z"] else {
            throw StillRunning(pid: pid, states: String(states))
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
