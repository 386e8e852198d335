import ZeroMQ

/// What a fetcher is started with.
public struct FetcherConfiguration: Sendable {
    /// Where the coordinator listens.
    public let endpoint: Endpoint
    /// The RPC's address.
    public let rpcURL: String
    /// Requests in flight at once.
    public let concurrency: Int
    /// Ledgers per request at most; the source chooses within it by what the server manages.
    public let pageSize: Int
    /// How long a page is tried before its batch is given back.
    public let retryTime: Duration
}
