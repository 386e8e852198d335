public import ArgumentParser

/// A flag or an environment variable that is wrong. The message names both; the process ends with ``ExitStatus/usage``.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, with what, and what would be right. Secrets are not shown.
    public let message: String

    /// The message.
    public var description: String { message }

    /// - Parameter message: names the flag and the variable.
    public init(_ message: String) {
        self.message = message
    }

    /// To be thrown out of a command's `validate` or `run`: the argument parser prints it with the usage and exits with 64.
    public var validationError: ValidationError { ValidationError(message) }

    /// Runs what resolves the settings of a command; a usage error comes out as the argument parser's own.
    public static func reported<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as UsageError {
            throw error.validationError
        }
    }
}
