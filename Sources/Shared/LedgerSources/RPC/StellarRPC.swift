internal import Foundation
public import Logging
internal import NIOCore
internal import ObjectStores
internal import Synchronization

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
    /// Threads that receive, decode and pass ledgers on.
    public var threads: Int = ProcessInfo.processInfo.activeProcessorCount
    /// Requests for ledgers in flight, at least and at most; how many there are in between is found out.
    public var requestsInFlight: ClosedRange<Int> = 4...64
    /// Bytes that the ledgers on their way may have together, decoded. A single ledger may go beyond it, one at a time.
    public var ledgerMemory: Int = 48 << 20
    /// Longest ledger that is taken, in bytes of XDR.
    public var longestLedger: Int = 128 << 20
    /// Bytes that one read from a socket brings at most. Each read passes through the HTTP client, which costs as much as copying 100 KB; longer ones take
    /// more memory in every connection than they save.
    public var readBufferBytes: Int = 1 << 18
    /// How pages are sized at the start.
    public var pageSizer: PageSizer = PageSizer()

    /// Defaults for a fetcher with about ten requests in flight.
    public init() {}
}

/// The result of `getHealth`, as far as it is of use. Servers say more, not all of them the same.
public struct RPCHealth: Sendable, Hashable, Decodable {
    /// The last ledger that the server has.
    public var latestLedger: UInt32
    /// The first ledger that it keeps, or says that it keeps.
    public var oldestLedger: UInt32?
}

/// The result of `getNetwork`, as far as it is of use.
public struct RPCNetwork: Sendable, Hashable, Decodable {
    /// The network's passphrase, such as "Public Global Stellar Network ; September 2015".
    public var passphrase: String
}

/// A stellar-rpc server as a source of ledgers: JSON-RPC 2.0 over HTTP(S).
///
/// One instance per process: it owns its event-loop threads and connections, so call `shutdown` when done. All methods retry what is transient as the
/// retry policy says; errors name the endpoint as `scheme://host:port`, without path and credentials.
public final class StellarRPC: LedgerSource {
    /// What has gone over the wire since the start.
    public struct Counters: Sendable, Hashable {
        /// HTTP requests sent.
        public var requests = 0
        /// Requests that were repetitions after a failure, by its kind.
        public var retriesByCause: [LedgerSourceError.Code: Int] = [:]
        /// Requests that were repetitions after a failure.
        public var retries: Int { retriesByCause.values.reduce(0, +) }
        /// Bytes of bodies received.
        public var bytesReceived = 0
        /// Ledgers that were passed on.
        public var ledgersReceived = 0
    }

    let transport: RPCTransport
    let retrying: Retrying
    let sizer: Mutex<PageSizer>
    let counted: Mutex<Counters>
    let buffers: LedgerBuffers
    let inFlight: Mutex<InFlight>

    /// - Parameters:
    ///   - url: `http` or `https`, with user and password or a path with a key if the provider wants one.
    ///   - options: time-outs, memory and connections.
    ///   - retry: what happens on transient failures.
    ///   - logger: each repetition is logged, at info and from the third on at warning.
    /// - Throws: `invalidURL`.
    public init(url: String, options: RPCOptions = RPCOptions(), retry: RetryPolicy = RetryPolicy(), logger: Logger)
        throws(LedgerSourceError)
    {
        transport = RPCTransport(try RPCEndpoint(url), options)
        counted = Mutex(Counters())
        sizer = Mutex(options.pageSizer)
        buffers = LedgerBuffers(limit: options.ledgerMemory, longest: options.longestLedger)
        inFlight = Mutex(InFlight(options.requestsInFlight, lanes: options.threads, first: 12))
        retrying = Retrying(policy: retry, endpoint: transport.endpoint.shown, logger: logger)
    }

    /// `scheme://host:port` of the server.
    public var endpoint: String { transport.endpoint.shown }

    /// What has gone over the wire so far.
    public var counters: Counters { counted.withLock { $0 } }

    /// Requests that were repetitions after a failure.
    public var retriesByCause: [LedgerSourceError.Code: Int] { counters.retriesByCause }

    /// Bytes of bodies received.
    public var bytesReceived: Int { counters.bytesReceived }

    /// Ends all requests (with the code `closed` or `connection`), connections and threads. The instance is of no use afterwards.
    public func shutdown() async {
        await transport.shutdown()
    }

    /// `getHealth`: how far the server is and what it keeps.
    /// - Parameter total: longest time for repetitions, instead of the policy's.
    public func health(within total: Duration? = nil) async throws(LedgerSourceError) -> RPCHealth {
        try await small("getHealth", RPCHealth.self, within: total)
    }

    /// `getNetwork`: which network the server is on.
    /// - Parameter total: longest time for repetitions, instead of the policy's.
    public func network(within total: Duration? = nil) async throws(LedgerSourceError) -> RPCNetwork {
        try await small("getNetwork", RPCNetwork.self, within: total)
    }

    /// Checks that the server is on the network with this passphrase.
    /// - Throws: `wrongNetwork` with both passphrases; otherwise as `network`.
    public func requireNetwork(_ passphrase: String) async throws(LedgerSourceError) {
        let network = try await network()
        guard network.passphrase == passphrase else {
            throw LedgerSourceError(
                .wrongNetwork, "the server is on the network \"\(AttemptFailure.shown(network.passphrase))\", not on \"\(passphrase)\"",
                endpoint: endpoint)
        }
    }

    /// Checks that the server has the ledgers that are needed, from the first one on. It may lag behind the last ones.
    ///
    /// A server may serve older ledgers than its `oldestLedger` says: it is asked for the first one before it is refused.
    /// - Returns: the last ledger that the server has.
    /// - Throws: `outsideRetention` with both ranges whole; otherwise as `health` and `forEachLedger`.
    @discardableResult
    public func requireLedgers(_ needed: ClosedRange<UInt32>) async throws(LedgerSourceError) -> UInt32 {
        let health = try await health()
        if let oldest = health.oldestLedger, needed.lowerBound >= oldest { return health.latestLedger }
        do throws(LedgerSourceError) {
            try await firstLedger(needed.lowerBound)
        } catch {
            switch error.code {
            // Some servers refuse, others give nothing or the ledgers that they do have.
            case .outsideRetention, .emptyPage, .unexpectedLedgers: break
            default: throw error
            }
            let has = health.oldestLedger.map { "\($0)-\(health.latestLedger)" } ?? "up to \(health.latestLedger)"
            throw LedgerSourceError(
                .outsideRetention,
                "ledgers \(needed.lowerBound)-\(needed.upperBound) are needed, but the server has only ledgers \(has); "
                    + "use an RPC with a longer retention",
                endpoint: endpoint, ledgers: needed)
        }
        return health.latestLedger
    }

    private func small<Result: Decodable & Sendable>(
        _ method: String, _ type: Result.Type, within total: Duration?
    ) async throws(LedgerSourceError) -> Result {
        try await retrying.run(method, within: total, onRetry: countRetry) { _ throws(AttemptFailure) in
            let body = try await self.post(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)"}"#)
            let envelope: RPCEnvelope<Result>
            do {
                envelope = try JSONDecoder().decode(RPCEnvelope<Result>.self, from: Data(body.readableBytesView))
            } catch {
                throw AttemptFailure(.malformedResponse, "the response is not the JSON expected")
            }
            if let error = envelope.error {
                throw AttemptFailure(RPCErrorObject(code: error.code, message: error.message ?? ""), asked: nil)
            }
            guard let result = envelope.result else {
                throw AttemptFailure(.malformedResponse, "the response has neither result nor error")
            }
            return result
        }
    }

    /// Sends a request that is not for ledgers.
    private func post(_ json: String) async throws(AttemptFailure) -> ByteBuffer {
        counted.withLock { $0.requests += 1 }
        let receiver = ResponseReceiver(nil)
        try await transport.post(json, to: receiver)
        let response = receiver.end()
        counted.withLock { $0.bytesReceived += response.bytes }
        try check(response.head, response.bytes, response.small, nil)
        return response.small
    }

    /// Refuses a response with another status than 2xx, by the JSON-RPC error in it where that says more than the status, and one without a body.
    func check(_ head: ResponseHead?, _ bytes: Int, _ body: ByteBuffer, _ asked: ClosedRange<UInt32>?) throws(AttemptFailure) {
        guard let head else { throw AttemptFailure(.connection, "the connection was closed before the response") }
        if !head.isSuccess {
            let wait = head.retryAfter.flatMap { RetryAfter.delay($0, now: Date()) }
            let said = try? JSONDecoder().decode(RPCEnvelope<RPCHealth>.self, from: Data(body.readableBytesView))
            if head.status == 400, let error = said?.error {
                throw AttemptFailure(RPCErrorObject(code: error.code, message: error.message ?? ""), asked: asked)
            }
            throw AttemptFailure(
                status: head.status, retryAfter: wait, body: String(decoding: body.readableBytesView.prefix(300), as: UTF8.self))
        }
        guard bytes > 0 else { throw AttemptFailure(.emptyResponse, "HTTP \(head.status) without a body") }
    }

    private func firstLedger(_ sequence: UInt32) async throws(LedgerSourceError) {
        do {
            try await forEachLedger(from: sequence, limit: 1) { _, _ in }
        } catch let error as LedgerSourceError {
            throw error
        } catch {
            throw LedgerSourceError(.badLedger, "\(error)", endpoint: endpoint, ledgers: sequence...sequence)
        }
    }

    /// The last ledger that the server has.
    public func latestLedger(near hint: UInt32? = nil, within total: Duration? = nil) async throws(LedgerSourceError) -> UInt32 {
        try await health(within: total).latestLedger
    }

    func countRetry(_ cause: LedgerSourceError.Code) {
        counted.withLock { $0.retriesByCause[cause, default: 0] += 1 }
    }
}

/// A JSON-RPC response to a small request.
private struct RPCEnvelope<Result: Decodable>: Decodable {
    struct Failure: Decodable {
        var code: Int
        var message: String?
    }

    var result: Result?
    var error: Failure?
}
