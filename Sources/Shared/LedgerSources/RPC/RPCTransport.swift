internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// Sends JSON-RPC requests over HTTP/1.1 and receives their answers. One per process: it owns its threads and connections.
final class RPCTransport: Sendable {
    let endpoint: RPCEndpoint
    let pool: BufferPool
    private let options: RPCOptions
    private let group: MultiThreadedEventLoopGroup
    private let client: HTTPClient
    private let isClosed = Mutex(false)

    init(_ endpoint: RPCEndpoint, _ options: RPCOptions) {
        self.endpoint = endpoint
        self.options = options
        self.pool = BufferPool(limit: options.pooledBuffers)
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.eventLoopThreads))
        // A redirect could carry credentials elsewhere, and a POST that becomes a GET is of no use: it is refused with its status.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(options.connectTimeout), read: TimeAmount(options.idleTimeout)),
            connectionPool: .init(
                idleTimeout: TimeAmount(options.connectionIdleTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: max(1, options.maximumConnections)),
            decompression: .disabled)
        // Several bodies of megabytes over one HTTP/2 connection would share its flow control window.
        configuration.httpVersion = .http1Only
        // Whether to try again is the retry policy's to say, which also logs it.
        configuration.connectionPool.retryConnectionEstablishment = false
        let largest = max(1 << 16, options.readBufferBytes)
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 12, initial: 1 << 14, maximum: largest))
        }
        self.client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Ends all requests, connections and threads.
    func shutdown() async {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        // Nothing else shuts these two down, so neither can have been before.
        try? await client.shutdown()
        try? await group.shutdownGracefully()
    }

    /// Sends `json` and returns the whole answer, whatever its status.
    func post(_ json: String) async throws(AttemptFailure) -> HTTPAnswer {
        let request: HTTPClient.Request
        do {
            var headers: HTTPHeaders = ["content-type": "application/json", "accept": "application/json", "user-agent": "wallet-backend"]
            if let authorization = endpoint.authorization { headers.add(name: "authorization", value: authorization) }
            request = try HTTPClient.Request(url: endpoint.url, method: .POST, headers: headers, body: .string(json))
        } catch {
            throw AttemptFailure(.invalidURL, "the HTTP client refuses the URL")
        }
        let collector = ResponseCollector(pool: pool, limit: options.maximumAnswerBytes)
        // Under the lock, so that every request is known to the client before `shutdown` ends them all: one that came later would be told so
        // on an event loop that no longer runs, which is never.
        let begun = isClosed.withLock { closed in
            closed ? nil : client.execute(request: request, delegate: collector, deadline: .now() + TimeAmount(options.requestTimeout))
        }
        guard let task = begun else { throw AttemptFailure(.closed, "the client was shut down") }
        do {
            return try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.fail(reason: CancellationError())
            }
        } catch {
            throw AttemptFailure(transport: error, answerBegun: collector.hasBegun)
        }
    }
}
