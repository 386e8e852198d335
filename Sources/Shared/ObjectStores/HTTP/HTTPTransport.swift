internal import AsyncHTTPClient
internal import Foundation
package import NIOCore
package import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A request as it is sent.
package struct OutgoingRequest: Sendable {
    /// The method.
    package enum Method: String, Sendable {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
    }

    package var method: Method = .get
    /// Percent-encoded, as it goes over the wire.
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: String?
    /// Longest time for all of it; nil: the options'.
    package var timeout: Duration?
}

/// A whole response, whatever its status.
package struct Answer: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    /// Of another status than 200, only the beginning.
    package var body: ByteBuffer

    package init(status: Int, headers: HTTPHeaders, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? { headers.first(name: name) }
}

/// Sends requests over HTTP/1.1 and receives their responses, many at a time. One per store: it owns its threads and connections.
package final class HTTPTransport: Sendable {
    private let requestTimeout: Duration
    private let group: MultiThreadedEventLoopGroup
    private let client: HTTPClient
    private let isClosed = Mutex(false)

    package init(_ options: ObjectStoreOptions) {
        requestTimeout = options.requestTimeout
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.eventLoopThreads))
        // A redirect could carry credentials elsewhere, and a signature is for one host only.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(options.connectTimeout), read: TimeAmount(options.idleTimeout)),
            connectionPool: .init(
                idleTimeout: TimeAmount(options.connectionIdleTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: max(1, options.maximumConnections)),
            decompression: .disabled)
        // Many objects over one HTTP/2 connection would share its flow control window.
        configuration.httpVersion = .http1Only
        // Whether to try again is the caller's to say.
        configuration.connectionPool.retryConnectionEstablishment = false
        let bytes = max(1 << 12, options.readBufferBytes)
        configuration.http1_1ConnectionDebugInitializer = { channel in
            // One buffer per connection; the client's default keeps four.
            channel.setOption(.maxMessagesPerRead, value: 1).flatMap {
                channel.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: bytes))
            }
        }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Ends all requests, connections and threads.
    package func shutdown() async {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        // Nothing else shuts these two down, so neither can have been before.
        try? await client.shutdown()
        try? await group.shutdownGracefully()
    }

    /// Sends a request and returns the whole response, whatever its status.
    ///
    /// - Parameters:
    ///   - limit: most bytes of a body with status 200.
    ///   - onArrival: called when all of a body with status 200 is here.
    /// - Throws: `tooLarge`, `connection`, `timeout`, `cut`, `cancelled`, `closed`; the error knows neither store nor key.
    package func send(
        _ outgoing: OutgoingRequest, limit: Int, onArrival: @escaping @Sendable () -> Void = {}
    ) async throws(ObjectStoreError) -> Answer {
        let request: HTTPClient.Request
        do {
            var headers: HTTPHeaders = ["user-agent": "wallet-backend"]
            for header in outgoing.headers { headers.add(name: header.name, value: header.value) }
            request = try HTTPClient.Request(
                url: outgoing.url, method: HTTPMethod(rawValue: outgoing.method.rawValue), headers: headers,
                body: outgoing.body.map { .string($0) })
        } catch {
            throw ObjectStoreError(.invalidAddress, "the HTTP client refuses the URL")
        }
        let collector = AnswerCollector(limit: limit, onArrival: onArrival)
        let deadline = NIODeadline.now() + TimeAmount(outgoing.timeout ?? requestTimeout)
        // Under the lock, so that every request is known to the client before `shutdown` ends them all: one that came later would be
        // told so on an event loop that no longer runs, which is never.
        let begun = isClosed.withLock { closed in
            closed ? nil : client.execute(request: request, delegate: collector, deadline: deadline)
        }
        guard let task = begun else { throw ObjectStoreError(.closed, "the store was shut down") }
        do {
            let head = try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.fail(reason: CancellationError())
            }
            return Answer(status: Int(head.status.code), headers: head.headers, body: collector.takeBody())
        } catch {
            throw ObjectStoreError(transport: error, answerBegun: collector.hasBegun)
        }
    }
}
