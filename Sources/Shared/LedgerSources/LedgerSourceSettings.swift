internal import Foundation
public import Logging
internal import ObjectStores

/// Which source ledgers come from, and how it is reached: an RPC, a data lake, or a lake for what the RPC does not keep.
public struct LedgerSourceSettings: Sendable {
    /// A data lake, and how it is read.
    public struct Lake: Sendable {
        /// `s3://bucket/path`, `gs://bucket/path`, `https://host/path`, `http://host/path`, `file:///path`; a bare `bucket/path` is S3.
        public var path: String
        /// The bucket's region (S3).
        public var region = "us-east-2"
        /// Another server than that of AWS or Google.
        public var endpointURL: String?
        /// No credentials are sent.
        public var unsigned = false
        /// Files that are fetched at once, at most.
        public var workers = 64
        /// How often a request is tried again, and how long at most before each.
        public var retryLimit = 3
        /// How often a request is tried again, and how long at most before each.
        public var retryWait = Duration.seconds(5)
        /// The layout of a lake without a manifest, or what the manifest must say.
        public var ledgersPerFile: UInt32?
        /// The layout of a lake without a manifest, or what the manifest must say.
        public var filesPerPartition: UInt32?

        /// The lake at a path, with defaults for a public one.
        public init(path: String) { self.path = path }
    }

    /// Requests in flight to an RPC, and ledgers in one, at most.
    public struct RPCLimits: Sendable {
        /// Requests in flight.
        public var concurrency = 64
        /// Ledgers in one request.
        public var pageSize = 200

        /// The defaults.
        public init() {}
    }

    /// The RPC's URL, which may hold credentials.
    public var rpcURL: String?
    /// The lake.
    public var lake: Lake?

    /// A source of one kind, or of both.
    public init(rpcURL: String?, lake: Lake?) {
        self.rpcURL = rpcURL
        self.lake = lake
    }

    /// The source.
    /// - Parameter total: how long a request to the RPC is tried; a lake says it itself.
    /// - Throws: `invalidURL` where there is none, or the RPC's URL or the lake's path cannot be used.
    public func open(
        retryingFor total: Duration, rpc limits: RPCLimits = RPCLimits(), logger: Logger
    ) throws(LedgerSourceError) -> any LedgerSource {
        let lake = try lake.map { lake throws(LedgerSourceError) in try Self.open(lake, total, logger) }
        guard let rpcURL else {
            guard let lake else { throw LedgerSourceError(.invalidURL, "neither an RPC nor a data lake is given", endpoint: "source") }
            return lake
        }
        var options = RPCOptions()
        options.pageSizer = PageSizer(maximum: limits.pageSize)
        options.requestsInFlight = min(4, limits.concurrency)...limits.concurrency
        options.maximumConnections = limits.concurrency + 1
        let rpc = try StellarRPC(url: rpcURL, options: options, retry: RetryPolicy(total: total), logger: logger)
        return lake.map { LakeBelowRPC(lake: $0, rpc: rpc, logger: logger) } ?? rpc
    }

    private static func open(_ lake: Lake, _ total: Duration, _ logger: Logger) throws(LedgerSourceError) -> DataLake {
        let threads = ProcessInfo.processInfo.activeProcessorCount
        let store: any ObjectStore
        do throws(ObjectStoreError) {
            var options = ObjectStoreOptions(
                region: lake.region, endpointURL: lake.endpointURL, unsigned: lake.unsigned, maximumConnections: lake.workers + 1,
                logger: logger)
            options.eventLoopThreads = threads
            store = try ObjectStores.open(lake.path, options)
        } catch {
            throw LedgerSourceError(.invalidURL, "\(error)", endpoint: "data lake")
        }
        var options = DataLakeOptions()
        options.ledgersPerFile = lake.ledgersPerFile
        options.filesPerPartition = lake.filesPerPartition
        options.requestsInFlight = min(4, lake.workers)...lake.workers
        options.threads = threads
        // A wait of a few seconds from the start on would be felt with each request that fails once: the first ones are shorter.
        let retry = RetryPolicy(
            base: min(.milliseconds(100), lake.retryWait), cap: lake.retryWait, total: max(total, lake.retryWait * lake.retryLimit),
            triesForWrongResponses: lake.retryLimit)
        return DataLake(store, options: options, retry: retry, logger: logger)
    }
}
