import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

/// A running simulator and a client of it.
struct SimulatorClient {
    struct Response: Decodable {
        struct Failure: Decodable {
            let code: Int
            let message: String
        }
        struct Ledger: Decodable {
            let hash: String
            let sequence: UInt32
            let ledgerCloseTime: String
            let headerXdr: String
            let metadataXdr: String
        }
        struct Result: Decodable {
            let ledgers: [Ledger]?
            let latestLedger: UInt32?
            let oldestLedger: UInt32?
            let cursor: String?
            let passphrase: String?
            let status: String?
            let sequence: UInt32?
        }
        let id: String?
        let result: Result?
        let error: Failure?
    }

    /// 260 small ledgers from 100 on.
    static let made = ["--seed", "3", "--first", "100", "--count", "260", "--ledger-bytes", "20000"]

    let url: String

    /// Runs a simulator for as long as `body` takes, ends it with SIGTERM, and expects it to end well.
    static func with<Value>(
        _ arguments: [String] = made, command: String = "serve", _ body: (SimulatorClient) async throws -> Value
    ) async throws -> Value {
        let simulator = try RunningProgram("ledger-simulator", [command, "--port", "0"] + arguments)
        let line = try #require(await simulator.line(containing: "listening on "), "\(simulator.log)")
        let value = try await body(SimulatorClient(url: String(line.split(separator: " ").last ?? "")))
        simulator.send(SIGTERM)
        #expect(await simulator.exit() == 0, "\(simulator.log)")
        return value
    }

    /// A POST as it is, with its status.
    func post(
        _ body: String, type: String = "application/json"
    ) async throws -> (status: HTTPResponseStatus, headers: HTTPHeaders, body: Data) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: type)
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        return (response.status, response.headers, Data(try await response.body.collect(upTo: 1 << 28).readableBytesView))
    }

    func call(_ method: String, _ parameters: String = "{}") async throws -> Response {
        let response = try await post("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"\(method)\",\"params\":\(parameters)}")
        #expect(response.status == .ok)
        let decoded = try JSONDecoder().decode(Response.self, from: response.body)
        #expect(decoded.id == "a")
        return decoded
    }

    func ledgers(from first: Int, limit: Int) async throws -> Response {
        try await call("getLedgers", "{\"startLedger\":\(first),\"pagination\":{\"limit\":\(limit)}}")
    }

    /// What `/stats` tells.
    struct Statistics: Decodable {
        let served: Int
        let distinct: Int
        let max: Int
        let bytes: Int
        let faults: [String: Int]
        let requests: [String: Int]
    }

    func statistics() async throws -> Statistics {
        try JSONDecoder().decode(Statistics.self, from: try await get("/stats").body)
    }

    /// A GET, or another method without a body.
    func get(_ path: String, method: HTTPMethod = .GET) async throws -> (status: HTTPResponseStatus, headers: HTTPHeaders, body: Data) {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        return (response.status, response.headers, Data(try await response.body.collect(upTo: 1 << 28).readableBytesView))
    }

    /// A POST to a path that controls the simulator.
    func control(_ path: String) async throws -> HTTPResponseStatus {
        try await get(path, method: .POST).status
    }
}
