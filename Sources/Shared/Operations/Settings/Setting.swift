public import ArgumentParser

/// A flag with the environment variable, and the key of a configuration file, that it may come from instead, declared once: name, help, default and what
/// is a valid value.
///
/// The option of a command takes the text only, `@Option(name: setting.name, help: setting.help) var batchSize: String?`, and
/// ``resolve(_:environment:)`` decides: the flag wins over the variable, the variable over the file, the file over the default. What is empty in the
/// environment or the file counts as unset. What is overridden is not looked at.
public struct Setting<Value: Sendable>: Sendable {
    /// The flag without its dashes, `batch-size`.
    public let flag: String
    /// The environment variable, `BATCH_SIZE`; nil where there is none.
    public let variable: String?
    /// The value where nothing is given; nil where something must be, or may be absent.
    public let defaultValue: Value?
    let defaultText: String?
    private let summary: String
    let format: SettingFormat<Value>

    /// - Parameters:
    ///   - flag: without its dashes.
    ///   - variable: the environment variable.
    ///   - summary: one sentence for the help.
    ///   - format: what is valid.
    ///   - defaultText: the default, written as an operator would write it.
    public init(_ flag: String, variable: String?, _ summary: String, _ format: SettingFormat<Value>, default defaultText: String? = nil) {
        self.flag = flag
        self.variable = variable
        self.summary = summary
        self.format = format
        self.defaultText = defaultText
        defaultValue = defaultText.flatMap { try? format.parse($0) }
        // The default is the program's own word.
        precondition(defaultText == nil || defaultValue != nil, "default of --\(flag)")
    }

    /// The name for `@Option`.
    public var name: NameSpecification { .customLong(flag) }

    /// The help for `@Option`: `Ledgers per batch. [env: BATCH_SIZE] (default: 100)`.
    public var help: ArgumentHelp {
        var text = summary
        if let variable { text += " [env: \(variable)]" }
        if let defaultText { text += " (default: \(defaultText))" }
        return ArgumentHelp(stringLiteral: text).named(format.placeholder)
    }

    /// The value, which must be given or have a default.
    ///
    /// - Throws: `UsageError` that names flag and variable.
    public func resolve(_ flagText: String?, environment: SettingEnvironment) throws(UsageError) -> Value {
        if let value = try resolveIfGiven(flagText, environment: environment) { return value }
        throw UsageError("--\(flag)\(variable.map { " or the environment variable \($0)" } ?? "") is required: \(summary)")
    }

    /// The value, the default, or nil.
    ///
    /// - Throws: `UsageError` that names flag and variable.
    public func resolveIfGiven(_ flagText: String?, environment: SettingEnvironment) throws(UsageError) -> Value? {
        if let flagText {
            return try parse(flagText, source: "--\(flag)", other: variable.map { " (environment variable \($0))" } ?? "")
        }
        if let variable, let found = environment.find(variable) {
            let source =
                switch found.origin {
                case .variable: "environment variable \(variable)"
                case .file: "\(found.origin): \(flag)"
                }
            return try parse(found.text, source: source, other: " (--\(flag))")
        }
        return defaultValue
    }

    private func parse(_ text: String, source: String, other: String) throws(UsageError) -> Value {
        do {
            return try format.parse(text)
        } catch {
            let shown = format.isSecret ? "" : " \(quotedForLogs(text))"
            throw UsageError("\(source)\(shown)\(other): \(error.reason)")
        }
    }
}

extension ArgumentHelp {
    fileprivate func named(_ placeholder: String) -> ArgumentHelp {
        var help = self
        help.valueName = placeholder
        return help
    }
}

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
