internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// The RPC over HTTP: `POST /` for JSON-RPC, `GET /stats` for the counts, `POST /release` for what is kept back, `POST /hold?from=N` to keep back again.
struct SimulatorServer: Sendable {
    let host: String
    let port: Int
    let passphrase: String
    let pages: LedgerPages
    let faults: FaultPlan
    let hold: Hold
    /// Waited before each response.
    let latency: Duration
    /// How fast a page goes out; nil: as fast as it can.
    let bytesPerSecond: Int?
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
        // The server ends when it has answered what it was asked.
        try await withTaskCancellationHandler {
            try await serve(application)
        } onCancel: {
            hold.release()
        }
    }

    private func serve(_ application: some ApplicationProtocol) async throws {
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
                        guard pages.tip.latest < pages.supply.available.upperBound else { return }
                        pages.supply.prepare(through: pages.tip.latest + 1)
                        guard pages.tip.close() != nil else { return }
                    }
                }
            }
            while try await group.next() != nil {}
        }
    }

    private func router() -> Router<ConnectionContext> {
        let router = Router(context: ConnectionContext.self)
        router.post("/") { request, context in
            let type = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
            guard type == "application/json" else { return Response(status: .unsupportedMediaType) }
            let body = try await request.body.collect(upTo: 1 << 20)
            return try await respond(Data(body.readableBytesView), context)
        }
        router.get("/") { _, _ in Response(status: .methodNotAllowed) }
        router.get("/stats") { _, _ in json(pages.counts.json) }
        router.post("/release") { _, _ in
            hold.release()
            return Response(status: .noContent)
        }
        router.post("/hold") { request, _ in
            guard let ledger = request.uri.queryParameters["from"].flatMap({ UInt32($0) }) else { return Response(status: .badRequest) }
            hold.hold(from: ledger)
            return Response(status: .noContent)
        }
        return router
    }

    private func respond(_ body: Data, _ context: ConnectionContext) async throws -> Response {
        if latency > .zero { try await Task.sleep(for: latency) }
        let call: RPCCall
        do {
            call = try RPCCall(body)
        } catch {
            return json(error.json(id: error.id))
        }
        pages.counts.requested(Self.methods.contains(call.method) ? call.method : "unknown")
        let response: Response
        do throws(RPCFailure) {
            response = call.method == "getLedgers" ? try await ledgers(call, context) : try small(call)
        } catch {
            response = json(error.json(id: call.id))
        }
        return call.id == nil ? Response(status: .noContent) : response
    }

    private static let methods: Set<String> = ["getHealth", "getLatestLedger", "getNetwork", "getLedgers"]

    private func small(_ call: RPCCall) throws(RPCFailure) -> Response {
        let latest = pages.tip.latest
        let oldest = pages.tip.announcedOldest
        switch call.method {
        case "getHealth":
            return result(
                call,
                "{\"status\":\"healthy\",\"latestLedger\":\(latest),\"latestLedgerCloseTime\":\"\(pages.supply.closeTime(of: latest))\","
                    + "\"oldestLedger\":\(oldest),\"oldestLedgerCloseTime\":\"\(pages.supply.closeTime(of: oldest))\","
                    + "\"ledgerRetentionWindow\":\(max(120_960, latest - oldest + 1))}")
        case "getNetwork":
            let version = pages.supply.ledger(latest).protocolVersion
            return result(call, "{\"passphrase\":\(JSONValue.quoted(passphrase)),\"protocolVersion\":\(version)}")
        case "getLatestLedger":
            return page(pages.latest(id: call.id))
        default:
            throw .methodNotFound
        }
    }

    private func ledgers(_ call: RPCCall, _ context: ConnectionContext) async throws(RPCFailure) -> Response {
        let range = await hold.pass(try pages.range(call))
        let fault = faults.next(ledgers: range.count)
        // A page with a fault is counted when it is made.
        switch fault {
        case .unavailable?, .gatewayTimeout?, .tooManyRequests?, .internalError?, .processingLimit?, .drop?:
            fault.map { pages.counts.spoilt($0) }
        case .cutBody?, .emptyPage?, .wrongHash?, .brokenChain?, nil: break
        }
        switch fault {
        case .unavailable: return Response(status: .serviceUnavailable)
        case .gatewayTimeout: return Response(status: .gatewayTimeout)
        case .tooManyRequests: return Response(status: .tooManyRequests, headers: [.retryAfter: "0"])
        case .internalError: throw .internalError
        case .processingLimit: throw .processingLimit
        case .drop:
            // Closed before the head of a response is written; what the server writes afterwards goes nowhere.
            context.channel.close(promise: nil)
            return Response(status: .ok)
        case .cutBody: return cut(try pages.page(range, id: call.id, fault: fault))
        case .emptyPage, .wrongHash, .brokenChain, nil: return page(try pages.page(range, id: call.id, fault: fault))
        }
    }

    private func page(_ parts: [ByteBuffer]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: bytesPerSecond.map { throttled(parts, to: $0) } ?? ResponseBody(contentsOf: parts))
    }

    /// Twenty slices a second.
    private func throttled(_ parts: [ByteBuffer], to bytesPerSecond: Int) -> ResponseBody {
        ResponseBody(contentLength: parts.reduce(0) { $0 + $1.readableBytes }) { writer in
            let sliceLength = max(1, bytesPerSecond / 20)
            for var part in parts {
                while let slice = part.readSlice(length: min(sliceLength, part.readableBytes)), slice.readableBytes > 0 {
                    try await writer.write(slice)
                    try await Task.sleep(for: .seconds(Double(slice.readableBytes) / Double(bytesPerSecond)))
                }
            }
            try await writer.finish(nil)
        }
    }

    /// The first half of a body that says how long the whole would be; then the server closes the connection.
    private func cut(_ parts: [ByteBuffer]) -> Response {
        let length = parts.reduce(0) { $0 + $1.readableBytes }
        let body = ResponseBody(contentLength: length) { writer in
            var left = length / 2
            for part in parts where left > 0 {
                var part = part
                guard let slice = part.readSlice(length: min(left, part.readableBytes)) else { continue }
                try await writer.write(slice)
                left -= slice.readableBytes
            }
            throw Cut()
        }
        return Response(status: .ok, headers: [.contentType: "application/json"], body: body)
    }

    private func result(_ call: RPCCall, _ text: String) -> Response {
        json("{\"jsonrpc\":\"2.0\",\"id\":\(call.id ?? "null"),\"result\":\(text)}")
    }

    private func json(_ text: String) -> Response {
        Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Ends a response in the middle: the server closes the connection.
    private struct Cut: Error {}
}

/// A request's context that knows its connection, for faults below HTTP.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
