public import ArgumentParser
internal import Glibc

/// How a process of the group ends; what its caller sees in `$?`.
public struct ExitStatus: RawRepresentable, Hashable, Sendable {
    /// The status, 0...255.
    public let rawValue: Int32

    /// The status with this number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// All that was asked is done.
    public static let success = ExitStatus(rawValue: 0)
    /// Something failed; the log says what.
    public static let failure = ExitStatus(rawValue: 1)
    /// A flag or an environment variable is wrong; nothing was started (EX_USAGE).
    public static let usage = ExitStatus(rawValue: 64)
    /// Ended in good order after SIGINT (128 + 2).
    public static let interrupted = ExitStatus(rawValue: 130)
    /// Ended in good order after SIGTERM (128 + 15).
    public static let terminated = ExitStatus(rawValue: 143)

    /// To be thrown out of a command's `run`.
    public var exitCode: ExitCode { ExitCode(rawValue) }

    /// Ends the process at once: no exit handlers, no flushing, no waiting for threads.
    public func endProcessNow() -> Never {
        _exit(rawValue)
    }
}
