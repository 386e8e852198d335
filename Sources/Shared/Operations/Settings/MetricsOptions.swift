public import ArgumentParser

/// `--metrics-port`.
public struct MetricsOptions: ParsableArguments {
    static let port = Setting<Int>(
        "metrics-port", variable: "METRICS_PORT",
        "Port, on all interfaces, for Prometheus text at /metrics, and /healthz and /readyz; 0: off.", .integer(in: 0...65535), default: "0"
    )

    /// The text of `--metrics-port`.
    @Option(name: MetricsOptions.port.name, help: MetricsOptions.port.help)
    public var metricsPort: String?

    /// Nothing given.
    public init() {}

    /// The port, or nil where metrics are off.
    ///
    /// - Throws: `UsageError`.
    public func resolve(environment: [String: String]) throws(UsageError) -> Int? {
        let port = try Self.port.resolve(metricsPort, environment: environment)
        return port == 0 ? nil : port
    }
}
