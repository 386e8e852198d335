/// A way in which a response to getLedgers can go wrong.
enum PageFault: String, SimulatedFault {
    /// HTTP 503 with an empty body.
    case unavailable = "503"
    /// HTTP 504 with an empty body, as after the server's own time limit.
    case gatewayTimeout = "504"
    /// HTTP 429 with `Retry-After: 0`.
    case tooManyRequests = "429"
    /// JSON-RPC error -32603.
    case internalError = "-32603"
    /// JSON-RPC error -32001, as after 10 s in the real server.
    case processingLimit = "-32001"
    /// A page without ledgers.
    case emptyPage = "empty-page"
    /// A body that ends in the middle; then the connection closes.
    case cutBody = "cut-body"
    /// The connection closes before a response.
    case drop
    /// A ledger whose stated hash is not its header's.
    case wrongHash = "wrong-hash"
    /// A ledger that names a predecessor that does not exist.
    case brokenChain = "broken-chain"

    /// The chain of a page of one ledger cannot be broken.
    func fits(_ ledgers: Int) -> Bool { ledgers >= (self == .brokenChain ? 2 : 1) }
}
