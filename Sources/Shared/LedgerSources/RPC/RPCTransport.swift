internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// Where an RPC is: the URL that requests go to, and the part of it that may be shown.
///
/// Providers put API keys into the path, the query or the user part of a URL, so messages show scheme, host and port only.
struct RPCEndpoint: Sendable {
    /// The URL without user and password.
    let url: URL
    /// `Basic ...`, if the URL had a user part.
    let authorization: String?
    /// `scheme://host:port`.
    let shown: String

    init(_ text: String) throws(LedgerSourceError) {
        func refused(_ why: String) -> LedgerSourceError {
            // The text itself may hold a key, even where it is no URL.
            LedgerSourceError(.invalidURL, "the RPC URL \(why); it should look like http://host:8000 or https://host/path", endpoint: "RPC")
        }
        guard var parts = URLComponents(string: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw refused("cannot be parsed")
        }
        let scheme = parts.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else { throw refused("has no scheme http or https") }
        guard let host = parts.host, !host.isEmpty else { throw refused("has no host") }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { throw refused("has the port \(port)") }
        shown = "\(scheme)://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host):\(port)"
        if let user = parts.user {
            authorization = "Basic " + Data("\(user):\(parts.password ?? "")".utf8).base64EncodedString()
        } else {
            authorization = nil
        }
        parts.user = nil
        parts.password = nil
        parts.fragment = nil
        parts.scheme = scheme
        guard let url = parts.url else { throw refused("cannot be parsed") }
        self.url = url
    }
}

/// Sends JSON-RPC requests over HTTP/1.1 and receives their responses. One per process: it owns its threads and connections.
final class RPCTransport: Sendable {
    let endpoint: RPCEndpoint
    private let options: RPCOptions
    /// One client with its connections for each thread: what a thread has received it works on itself.
    private let lanes: [(client: HTTPClient, group: MultiThreadedEventLoopGroup, turns: ReadingTurns)]
    /// Requests on each lane.
    private let load: Mutex<[Int]>
    private let isClosed = Mutex(false)

    init(_ endpoint: RPCEndpoint, _ options: RPCOptions) {
        self.endpoint = endpoint
        self.options = options
        let threads = max(1, options.threads)
        load = Mutex([Int](repeating: 0, count: threads))
        // A redirect could carry credentials elsewhere, and a POST that becomes a GET is of no use: it is refused with its status.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(options.connectTimeout)),
            connectionPool: .init(
                idleTimeout: TimeAmount(options.connectionIdleTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: max(1, (options.maximumConnections + threads - 1) / threads)),
            decompression: .disabled)
        // Several bodies of megabytes over one HTTP/2 connection would share its flow control window.
        configuration.httpVersion = .http1Only
        // Whether to try again is the retry policy's to say, which also logs it.
        configuration.connectionPool.retryConnectionEstablishment = false
        let bytes = max(1 << 12, options.readBufferBytes)
        lanes = (0..<threads).map { [configuration] _ in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let turns = ReadingTurns(on: group.any())
            var configuration = configuration
            configuration.http1_1ConnectionDebugInitializer = { channel in
                // One buffer per connection, and what is in it goes on before the next read.
                channel.setOption(.maxMessagesPerRead, value: 1).flatMap {
                    channel.setOption(.recvAllocator, value: RecordingAllocator(capacity: bytes, turns: turns))
                }
            }
            return (HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration), group, turns)
        }
    }

    /// Responses that have work for a thread at the moment.
    var ready: Int { lanes.reduce(0) { $0 + $1.turns.ready } }

    /// Ends all requests, connections and threads.
    func shutdown() async {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        for lane in lanes {
            // Nothing else shuts these two down, so neither can have been before.
            try? await lane.client.shutdown()
            try? await lane.group.shutdownGracefully()
        }
    }

    /// Sends `json` and lets `receiver` take the response, on one of the transport's threads, connection and all: what arrives is worked on where it
    /// was received, while its bytes are in that core's cache. Returns when the response, whatever its status, has ended.
    func post(_ json: String, to receiver: ResponseReceiver) async throws(AttemptFailure) {
        let request: HTTPClient.Request
        do {
            var headers: HTTPHeaders = ["content-type": "application/json", "accept": "application/json", "user-agent": "wallet-backend"]
            if let authorization = endpoint.authorization { headers.add(name: "authorization", value: authorization) }
            request = try HTTPClient.Request(url: endpoint.url, method: .POST, headers: headers, body: .string(json))
        } catch {
            throw AttemptFailure(.invalidURL, "the HTTP client refuses the URL")
        }
        // The first of those with the fewest: requests one after the other use one connection.
        let lane = load.withLock { load in
            let lane = load.indices.min { load[$0] < load[$1] } ?? 0
            load[lane] += 1
            return lane
        }
        defer { load.withLock { $0[lane] -= 1 } }
        receiver.prepare(turns: lanes[lane].turns, idleTimeout: TimeAmount(options.idleTimeout))
        // Under the lock, so that every request is known to the client before `shutdown` ends them all: one that came later would hear of it
        // on an event loop that no longer runs, which is never.
        let begun = isClosed.withLock { closed in
            closed
                ? nil
                : lanes[lane].client.execute(
                    request: request, delegate: receiver, deadline: .now() + TimeAmount(options.requestTimeout))
        }
        guard let task = begun else { throw AttemptFailure(.closed, "the client was shut down") }
        do {
            try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.fail(reason: CancellationError())
            }
        } catch {
            throw AttemptFailure(transport: error, responseBegun: receiver.hasBegun)
        }
    }
}
