import ArgumentParser
package import Operations

/// `--progress`, `--status-port` and `--status-address`: how a run is watched.
package struct ProgressOptions: ParsableArguments {
    private static let progress = Setting(
        "progress", variable: "PROGRESS",
        "auto: a live block where standard error is a terminal, otherwise a line of the log every ten seconds; plain: lines always; none.",
        .oneOf(ProgressStyle.self, placeholder: "style"), default: "auto")
    private static let port = Setting(
        "status-port", variable: "STATUS_PORT", "Port for the status page at / and its data as JSON at /status; 0: off.",
        .integer(in: 0...65535), default: "0")
    private static let address = Setting(
        "status-address", variable: "STATUS_ADDRESS", "Address that the status page listens on.", .text(placeholder: "address"),
        default: "127.0.0.1")

    /// The settings.
    package static var settings: [AnySetting] { [progress.erased, port.erased, address.erased] }

    /// Nothing given.
    package init() {}

    @Option(name: Self.progress.name, help: Self.progress.help) var progress: String?
    @Option(name: Self.port.name, help: Self.port.help) var statusPort: String?
    @Option(name: Self.address.name, help: Self.address.help) var statusAddress: String?

    /// Where the status page is served; nil: nowhere.
    package struct StatusAddress: Sendable {
        let host: String
        let port: Int
    }

    package func resolve(environment: SettingEnvironment) throws(UsageError) -> (style: ProgressStyle, page: StatusAddress?) {
        let port = try Self.port.resolve(statusPort, environment: environment)
        let host = try Self.address.resolve(statusAddress, environment: environment)
        return (try Self.progress.resolve(progress, environment: environment), port == 0 ? nil : StatusAddress(host: host, port: port))
    }
}
