public import Logging

/// What a setting comes from where no flag gives it: the environment variables, and below them a configuration file.
public struct SettingEnvironment: Sendable, ExpressibleByDictionaryLiteral {
    /// Where a value was found.
    public enum Origin: Hashable, Sendable, CustomStringConvertible {
        /// In the environment variable of this name.
        case variable(String)
        /// In a file, on a line.
        case file(path: String, line: Int)

        /// `environment BATCH_SIZE` or `settings.yaml:3`.
        public var description: String {
            switch self {
            case .variable(let name): "environment \(name)"
            case .file(let path, let line): "\(path):\(line)"
            }
        }
    }

    private let variables: [String: String]
    private let file: ConfigurationFile?

    /// - Parameters:
    ///   - variables: the environment variables.
    ///   - file: the configuration file; nil where there is none.
    public init(_ variables: [String: String], file: ConfigurationFile? = nil) {
        self.variables = variables
        self.file = file
    }

    /// Environment variables alone.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    /// The value for an environment variable's name, from there or from the file. What is empty counts as unset.
    public subscript(variable: String) -> String? { find(variable)?.text }

    /// The same with the place where it was found.
    public func find(_ variable: String) -> (text: String, origin: Origin)? {
        if let text = variables[variable], !text.isEmpty { return (text, .variable(variable)) }
        guard let file, let entry = file.entries[Self.key(of: variable)] else { return nil }
        return (entry.text, .file(path: file.path, line: entry.line))
    }

    /// Everything as environment variables, secrets included, for a process that is started by this one. The path of the file is left out: all that is in
    /// it is there, and whoever starts the process decides what it may know.
    public var forAnotherProcess: [String: String] {
        var all = variables
        all[ConfigurationOptions.variable] = nil
        for (name, entry) in file?.entries ?? [:] {
            let variable = ConfigurationKey.variable(of: name)
            if all[variable]?.isEmpty ?? true { all[variable] = entry.text }
        }
        return all
    }

    /// What an operator should mend; nil where there is nothing.
    public var warning: String? {
        guard let file, file.isReadableByOthers, !file.keysWithSecrets.isEmpty else { return nil }
        return
            "\(file.path) holds a password (\(file.keysWithSecrets.joined(separator: ", "))), and other users may read it: chmod 600 \(file.path)"
    }

    /// Logs the warning, if there is one.
    public func logWarning(to logger: Logger) {
        if let warning { logger.warning("the configuration file is open to others", metadata: ["cause": "\(warning)"]) }
    }

    private static func key(of variable: String) -> String { variable.lowercased().replacing("_", with: "-") }
}
