public import ArgumentParser

/// `--config`.
public struct ConfigurationOptions: ParsableArguments {
    /// The environment variable with the path of the file.
    public static let variable = "CONFIG"

    /// The text of `--config`.
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "YAML file of settings, named as the flags are; flags and environment variables win over it. [env: CONFIG]", valueName: "file"))
    public var config: String?

    /// Nothing given.
    public init() {}

    /// The environment variables with the file below them.
    /// - Throws: the argument parser's error, with all that is wrong with the file.
    public func environment(_ variables: [String: String] = ProcessEnvironment.current) throws -> SettingEnvironment {
        do {
            return try read(variables)
        } catch {
            throw UsageError("\(error)").validationError
        }
    }

    /// The same.
    /// - Throws: `ConfigurationFile.Refusal`.
    public func read(_ variables: [String: String] = ProcessEnvironment.current) throws(ConfigurationFile.Refusal) -> SettingEnvironment {
        guard let path = config ?? variables[Self.variable], !path.isEmpty else { return SettingEnvironment(variables) }
        return SettingEnvironment(variables, file: try ConfigurationFile(path: path))
    }
}
