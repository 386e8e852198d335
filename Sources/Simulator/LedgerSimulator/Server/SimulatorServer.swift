internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// The RPC over HTTP: `POST /` for JSON-RPC, `GET /stats` for the counts.
struct SimulatorServer: Sendable {
    let host: String
    let port: Int
    let passphrase: String
    let pages: LedgerPages
    let faults: FaultPlan
    /// Waited before each answer.
    let latency: Duration
    /// Seconds from one close to the next; nil: no ledger closes.
    let closeEvery: Duration?
    let logger: Logger

    /// Serves until the task is cancelled.
    /// - Throws: `SimulatorError.bind`.
    func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
        // It takes every cut connection for an error, and cutting some is what this server is for.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: router(), configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) }, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await application.run()
                } catch let error as IOError {
                    throw SimulatorError.bind(host: host, port: port, reason: "\(error)")
                }
            }
            if let closeEvery {
                group.addTask {
                    while true {
                        try await Task.sleep(for: closeEvery)
                        guard let next = pages.tip.close() else { return }
                        pages.supply.prepare(through: next)
                    }
                }
            }
            while try await group.next() != nil {}
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("/") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            return try await answer(Data(body.readableBytesView))
        }
        router.get("/stats") { _, _ in json(pages.counts.json) }
        return router
    }

    private func answer(_ body: Data) async throws -> Response {
        if latency > .zero { try await Task.sleep(for: latency) }
        let call: RPCCall
        do {
            call = try RPCCall(body)
        } catch {
            return json(error.json(id: error.id))
        }
        pages.counts.requested(call.method)
        let tip = pages.tip
        switch call.method {
        case "getHealth":
            let (latest, oldest) = (tip.latest, tip.oldest)
            return result(
                call,
                "{\"status\":\"healthy\",\"latestLedger\":\(latest),\"latestLedgerCloseTime\":\"\(pages.supply.ledger(latest).closeTime)\","
                    + "\"oldestLedger\":\(oldest),\"oldestLedgerCloseTime\":\"\(pages.supply.ledger(oldest).closeTime)\","
                    + "\"ledgerRetentionWindow\":\(latest - oldest + 1)}")
        case "getLatestLedger":
            return Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(contentsOf: pages.latest(id: call.id)))
        case "getNetwork":
            let version = pages.supply.ledger(tip.latest).protocolVersion
            return result(call, "{\"passphrase\":\"\(passphrase)\",\"protocolVersion\":\(version)}")
        case "getLedgers":
            return try ledgers(call)
        default:
            return json(RPCFailure(code: -32601, message: "method not found").json(id: call.id))
        }
    }

    private func ledgers(_ call: RPCCall) throws -> Response {
        let fault = faults.next()
        if fault != nil { pages.counts.spoilt() }
        switch fault {
        case .unavailable: return Response(status: .serviceUnavailable)
        case .gatewayTimeout: return Response(status: .gatewayTimeout)
        case .tooManyRequests: return Response(status: .tooManyRequests, headers: [.retryAfter: "0"])
        case .internalError: return json(RPCFailure(code: -32603, message: "internal error").json(id: call.id))
        case .drop: return Response(status: .ok, body: ResponseBody(contentLength: 1000) { _ in throw Dropped() })
        case .cutBody, .emptyPage, .wrongHash, .brokenChain, nil: break
        }
        do {
            let parts = try pages.page(try pages.range(call.ledgers), id: call.id, fault: fault)
            guard fault == .cutBody else {
                return Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(contentsOf: parts))
            }
            let length = parts.reduce(0) { $0 + $1.readableBytes }
            return Response(
                status: .ok,
                body: ResponseBody(contentLength: length) { writer in
                    try await writer.write(contentsOf: parts.prefix(parts.count / 2))
                    throw Dropped()
                })
        } catch {
            return json(error.json(id: call.id))
        }
    }

    private func result(_ call: RPCCall, _ text: String) -> Response {
        json("{\"jsonrpc\":\"2.0\",\"id\":\(call.id),\"result\":\(text)}")
    }

    private func json(_ text: String) -> Response {
        Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Ends an answer in the middle: the server closes the connection.
    private struct Dropped: Error {}
}
