public import ArgumentParser
internal import Glibc
internal import Logging

/// `--log-level` and `--log-format`.
public struct LoggingOptions: ParsableArguments {
    static let level = Setting<Logger.Level>(
        "log-level", variable: "LOG_LEVEL", "Least severe events that are logged: trace, debug, info, notice, warning, error, critical.",
        .oneOf(placeholder: "level"), default: "info")
    static let format = Setting<LogFormat>(
        "log-format", variable: "LOG_FORMAT",
        "Form of the log lines: logfmt, json or console; unless given console on a terminal, otherwise logfmt.",
        .oneOf(placeholder: "format"))

    /// Both.
    public static var settings: [AnySetting] { [level.erased, format.erased] }

    /// The text of `--log-level`.
    @Option(name: LoggingOptions.level.name, help: LoggingOptions.level.help)
    public var logLevel: String?

    /// The text of `--log-format`.
    @Option(name: LoggingOptions.format.name, help: LoggingOptions.format.help)
    public var logFormat: String?

    /// Nothing given.
    public init() {}

    /// How the process logs.
    ///
    /// - Parameter process: the name of the process in every line.
    /// - Throws: `UsageError`.
    public func resolve(process: String, environment: SettingEnvironment) throws(UsageError) -> LogConfiguration {
        LogConfiguration(
            process: process,
            level: try Self.level.resolve(logLevel, environment: environment),
            format: try Self.format.resolveIfGiven(logFormat, environment: environment)
                ?? (Terminal.isForPeople(STDERR_FILENO) ? .console : .logfmt))
    }
}

/// `--metrics-port`.
public struct MetricsOptions: ParsableArguments {
    static let port = Setting<Int>(
        "metrics-port", variable: "METRICS_PORT",
        "Port, on all interfaces, for Prometheus text at /metrics, and /healthz and /readyz; 0: off.", .integer(in: 0...65535), default: "0"
    )

    /// The port.
    public static var settings: [AnySetting] { [port.erased] }

    /// The text of `--metrics-port`.
    @Option(name: MetricsOptions.port.name, help: MetricsOptions.port.help)
    public var metricsPort: String?

    /// Nothing given.
    public init() {}

    /// The port, or nil where metrics are off.
    ///
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment) throws(UsageError) -> Int? {
        let port = try Self.port.resolve(metricsPort, environment: environment)
        return port == 0 ? nil : port
    }
}
