internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// The RPC: `POST /` for JSON-RPC.
struct RPCService: SimulatedService {
    let passphrase: String
    let pages: LedgerPages
    let faults: FaultPlan<PageFault>
    let hold: Hold
    let delivery: Delivery

    var counts: ServedCounts { pages.counts }

    func close() -> Bool {
        guard pages.tip.latest < pages.supply.available.upperBound else { return false }
        pages.supply.prepare(through: pages.tip.latest + 1)
        return pages.tip.close() != nil
    }

    func addRoutes(to router: Router<ConnectionContext>) {
        router.post("/") { request, context in
            let type = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
            guard type == "application/json" else { return Response(status: .unsupportedMediaType) }
            let body = try await request.body.collect(upTo: 1 << 20)
            return try await respond(Data(body.readableBytesView), context)
        }
        router.get("/") { _, _ in Response(status: .methodNotAllowed) }
    }

    private func respond(_ body: Data, _ context: ConnectionContext) async throws -> Response {
        try await delivery.begin()
        let call: RPCCall
        do {
            call = try RPCCall(body)
        } catch {
            return Response(json: error.json(id: error.id))
        }
        pages.counts.requested(Self.methods.contains(call.method) ? call.method : "unknown")
        let response: Response
        do throws(RPCFailure) {
            response = call.method == "getLedgers" ? try await ledgers(call, context) : try small(call)
        } catch {
            response = Response(json: error.json(id: call.id))
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
            return delivery.whole(pages.latest(id: call.id), type: .json)
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
        case .drop: return delivery.drop(context)
        case .cutBody: return delivery.cut(try pages.page(range, id: call.id, fault: fault), type: .json)
        case .emptyPage, .wrongHash, .brokenChain, nil:
            return delivery.whole(try pages.page(range, id: call.id, fault: fault), type: .json)
        }
    }

    private func result(_ call: RPCCall, _ text: String) -> Response {
        Response(json: "{\"jsonrpc\":\"2.0\",\"id\":\(call.id ?? "null"),\"result\":\(text)}")
    }
}
