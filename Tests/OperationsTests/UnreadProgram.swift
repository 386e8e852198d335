import Foundation
import Glibc
import Synchronization
import TestSupport

/// The probe with a standard error that nobody reads.
final class UnreadProgram: Sendable {
    struct StillRunning: Error {}

    private let process = Process()
    private let output = Pipe()
    /// Its read end stays open and unread until ``readStandardError()``.
    private let error = Pipe()
    private let ended = DispatchSemaphore(value: 0)

    init(_ arguments: String...) throws {
        process.executableURL = RunningProgram.folder.appendingPathComponent("operations-probe")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.standardOutput = output
        process.standardError = error
        process.standardInput = FileHandle.nullDevice
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// The next line of standard output; the programs write whole ones.
    func readLine() throws -> String? {
        String(decoding: output.fileHandleForReading.availableData, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }

    /// Until the pipe takes no more.
    func fillStandardError() {
        let descriptor = open("/proc/self/fd/\(error.fileHandleForWriting.fileDescriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(descriptor) }
        let block = [UInt8](repeating: UInt8(ascii: "\n"), count: 4096)
        while write(descriptor, block, block.count) > 0 {}
    }

    /// Everything on standard error, to its end.
    func readStandardError() throws -> [Substring] {
        try error.fileHandleForWriting.close()
        let bytes = try error.fileHandleForReading.readToEnd() ?? Data()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    /// Waits for the end; kills what does not end.
    func exit(within limit: DispatchTimeInterval) throws -> Int32 {
        guard ended.wait(timeout: .now() + limit) == .success else {
            kill(process.processIdentifier, SIGKILL)
            throw StillRunning()
        }
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }
}
