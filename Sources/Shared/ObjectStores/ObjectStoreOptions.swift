package import Foundation
public import Logging

/// How a store is reached, and with which credentials.
public struct ObjectStoreOptions: Sendable {
    /// The bucket's region (S3). Where it is wrong, the store's answer says the right one.
    public var region: String
    /// Another server than that of AWS or Google, such as `http://localhost:9000`.
    public var endpointURL: String?
    /// Sends no credentials, and looks for none: what a public bucket wants.
    public var unsigned: Bool
    /// Longest time to connect, TLS included.
    public var connectTimeout: Duration
    /// Longest time without a byte of an answer.
    public var idleTimeout: Duration = .seconds(15)
    /// Longest time for a whole request.
    public var requestTimeout: Duration
    /// How long an unused connection is kept: less than the servers keep theirs.
    public var connectionIdleTimeout: Duration = .seconds(15)
    /// Most connections, hence requests in flight; further ones queue.
    public var maximumConnections: Int
    /// Bytes that one read from a socket brings at most: a buffer of that size is kept for every connection.
    public var readBufferBytes: Int
    /// Threads that do the receiving (HTTP) or the reading (folder, four at least).
    public var eventLoopThreads: Int = 1
    /// Variables that say where credentials are, as AWS's and Google's own tools know them.
    public var environment: [String: String]
    /// Told of a corrected region, of where credentials come from, and of renewals that fail.
    public var logger: Logger

    /// The time that signatures carry, and that credentials expire by.
    package var now: @Sendable () -> Date = { Date() }
    /// Where the services are that have credentials to give.
    package var services = CredentialServices()

    /// The defaults suit a hundred requests in flight for objects of some hundred kilobytes.
    /// - Parameter environment: nil: that of this process.
    public init(
        region: String = "us-east-2", endpointURL: String? = nil, unsigned: Bool = false, connectTimeout: Duration = .seconds(5),
        requestTimeout: Duration = .seconds(60), maximumConnections: Int = 128, readBufferBytes: Int = 64 << 10,
        environment: [String: String]? = nil, logger: Logger = Logger(label: "object-stores")
    ) {
        self.region = region
        self.endpointURL = endpointURL
        self.unsigned = unsigned
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
        self.maximumConnections = maximumConnections
        self.readBufferBytes = readBufferBytes
        self.environment = environment ?? ProcessInfo.processInfo.environment
        self.logger = logger
    }
}

/// The fixed addresses of services that give credentials to the machine or container that asks.
package struct CredentialServices: Sendable {
    /// Container service of ECS, for relative URIs.
    package var container: String
    /// Instance service of EC2.
    package var instance: String
    /// Metadata server of Google Cloud.
    package var google: String
    /// Longest wait for the instance and metadata services: where there is none, nothing answers.
    package var patience: Duration

    package init(
        container: String = "http://169.254.170.2", instance: String = "http://169.254.169.254",
        google: String = "http://metadata.google.internal", patience: Duration = .seconds(1)
    ) {
        self.container = container
        self.instance = instance
        self.google = google
        self.patience = patience
    }
}
