/// How an RPC client uses the network and memory.
public struct RPCOptions: Sendable {
    /// Longest time to connect, TLS included.
    public var connectTimeout: Duration = .seconds(5)
    /// Longest time without a byte. stellar-rpc itself gives up on a call after 25 s.
    public var idleTimeout: Duration = .seconds(30)
    /// Longest time for a whole request.
    public var requestTimeout: Duration = .seconds(90)
    /// How long an unused connection is kept: less than the 60 s after which proxies usually drop one.
    public var connectionIdleTimeout: Duration = .seconds(20)
    /// Most connections, hence requests in flight; further ones queue.
    public var maximumConnections: Int = 32
    /// Threads that do the receiving. One manages about a gigabyte per second.
    public var eventLoopThreads: Int = 1
    /// Longest answer that is taken, in bytes.
    public var maximumAnswerBytes: Int = 512 << 20
    /// Most response buffers that are kept while nobody uses them.
    public var pooledBuffers: Int = 8
    /// Bytes that one read from a socket can bring. Reads of 1 MiB cost a third less CPU per byte than NIO's usual 64 KiB, longer ones no less.
    public var readBufferBytes: Int = 1 << 20
    /// How pages are sized at the start.
    public var pageSizer: PageSizer = PageSizer()

    /// Defaults for a fetcher with about ten requests in flight.
    public init() {}
}
