internal import Foundation
public import Logging
internal import NIOCore
internal import Synchronization

/// A stellar-rpc server as a source of ledgers: JSON-RPC 2.0 over HTTP(S).
///
/// One instance per process: it owns its event-loop threads and connections, so call `shutdown` when done. All methods retry what is transient as the
/// retry policy says; errors name the endpoint as `scheme://host:port`, without path and credentials.
public final class StellarRPC: LedgerSource {
    /// What has gone over the wire since the start.
    public struct Counters: Sendable, Hashable {
        /// HTTP requests sent.
        public var requests = 0
        /// Requests that were repetitions.
        public var retries = 0
        /// Bytes of bodies received.
        public var bytesReceived = 0
        /// Ledgers received, in pages that were accepted.
        public var ledgersReceived = 0
    }

    let transport: RPCTransport
    let retrying: Retrying
    let sizer: Mutex<PageSizer>
    let counted: Mutex<Counters>

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
        retrying = Retrying(policy: retry, endpoint: transport.endpoint.shown, logger: logger)
    }

    /// `scheme://host:port` of the server.
    public var endpoint: String { transport.endpoint.shown }

    /// What has gone over the wire so far.
    public var counters: Counters { counted.withLock { $0 } }

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

    /// `getLatestLedger`. Newer servers add that ledger's whole XDR: `health` is the cheaper way to follow the tip.
    /// - Parameter total: longest time for repetitions, instead of the policy's.
    public func latestLedger(within total: Duration? = nil) async throws(LedgerSourceError) -> RPCLatestLedger {
        try await small("getLatestLedger", RPCLatestLedger.self, within: total)
    }

    /// Checks that the server is on the network with this passphrase.
    /// - Throws: `wrongNetwork` with both passphrases; otherwise as `network`.
    public func requireNetwork(_ passphrase: String, within total: Duration? = nil) async throws(LedgerSourceError) {
        let network = try await network(within: total)
        guard network.passphrase == passphrase else {
            throw LedgerSourceError(
                .wrongNetwork, "the server is on the network \"\(AttemptFailure.shown(network.passphrase))\", not on \"\(passphrase)\"",
                endpoint: endpoint)
        }
    }

    private func small<Answer: Decodable & Sendable>(
        _ method: String, _ type: Answer.Type, within total: Duration?
    ) async throws(LedgerSourceError) -> Answer {
        try await retrying.run(method, within: total, onRetry: countRetry) { _ throws(AttemptFailure) in
            let body = try await self.post(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)"}"#, asked: nil)
            defer { self.transport.pool.give(body) }
            let envelope: RPCEnvelope<Answer>
            do {
                envelope = try JSONDecoder().decode(RPCEnvelope<Answer>.self, from: Data(body.readableBytesView))
            } catch {
                throw AttemptFailure(.malformedAnswer, "the answer is not the JSON expected")
            }
            if let error = envelope.error {
                throw AttemptFailure(RPCErrorObject(code: error.code, message: error.message ?? ""), asked: nil)
            }
            guard let result = envelope.result else { throw AttemptFailure(.malformedAnswer, "the answer has neither result nor error") }
            return result
        }
    }

    /// Sends one request; returns the body of an answer with status 2xx, and of another one if it is a JSON-RPC error that says more than the status.
    func post(_ json: String, asked: ClosedRange<UInt32>?) async throws(AttemptFailure) -> ByteBuffer {
        counted.withLock { $0.requests += 1 }
        let answer = try await transport.post(json)
        counted.withLock { $0.bytesReceived += answer.body.readableBytes }
        guard (200...299).contains(answer.status) else {
            defer { transport.pool.give(answer.body) }
            let wait = answer.retryAfter.flatMap { RetryAfter.delay($0, secondsSince1970: Int64(Date().timeIntervalSince1970)) }
            if answer.status == 400, case .error(let error)? = try? LedgersAnswer.scan(answer.body.readableBytesUInt8Span) {
                throw AttemptFailure(error, asked: asked)
            }
            throw AttemptFailure(
                status: answer.status, retryAfter: wait, body: String(decoding: answer.body.readableBytesView.prefix(300), as: UTF8.self))
        }
        if let encoding = answer.encoding {
            throw AttemptFailure(.malformedAnswer, "the answer is encoded as \(AttemptFailure.shown(encoding)), which was not asked for")
        }
        guard answer.body.readableBytes > 0 else { throw AttemptFailure(.emptyAnswer, "HTTP \(answer.status) without a body") }
        return answer.body
    }

    func countRetry() {
        counted.withLock { $0.retries += 1 }
    }
}
