public import Operations

/// How a fetcher uses an RPC: `--rpc-concurrency` and `--rpc-page-size`.
public enum RPCLimitSettings {
    /// `--rpc-concurrency`.
    public static let concurrency = Setting(
        "rpc-concurrency", variable: "RPC_CONCURRENCY",
        "Requests in flight at most; how many there are follows from the network's latency.",
        .integer(in: 1...64), default: "64")
    /// `--rpc-page-size`.
    public static let pageSize = Setting(
        "rpc-page-size", variable: "RPC_PAGE_SIZE", "Ledgers per request at most; fewer where they are large or the server slow.",
        .integer(in: 1...200), default: "200")

    /// Both.
    public static var settings: [AnySetting] { [concurrency.erased, pageSize.erased] }
}
