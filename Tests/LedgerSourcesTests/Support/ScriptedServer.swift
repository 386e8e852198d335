import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What the server does with one request.
enum Reply: Sendable {
    /// A whole response with Content-Length; the connection stays open.
    case response(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = [])
    /// A response in chunks of the size given, without Content-Length.
    case chunked(body: [UInt8], chunk: Int)
    /// Announces `announced` bytes, sends `body` and closes.
    case cut(body: [UInt8], announced: Int)
    /// Sends a piece now and after each pause. Where more bytes are announced, the rest never comes, and the connection stays open.
    case slow(pieces: [[UInt8]], pause: Duration, announced: Int)
    /// Neither length nor chunks: the end of the connection is the end of the body.
    case untilClose(body: [UInt8])
    /// Closes without a byte, as a peer does that had given the connection up.
    case close
    /// Never responds.
    case silence

    static func json(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Reply {
        .response(status: status, headers: headers, body: Array(text.utf8))
    }
    static func rpcError(_ code: Int, _ message: String) -> Reply {
        .json(#"{"jsonrpc":"2.0","id":1,"error":{"code":\#(code),"message":"\#(message)"}}"#)
    }
}

/// A request as the server saw it.
struct SeenRequest: Sendable {
    /// Which connection it came on, from 1.
    var connection: Int
    var line: String
    var headers: [String: String]
    var body: String

    /// `startLedger` and `limit` of a getLedgers request.
    var asked: (start: UInt32, limit: Int)? {
        guard let json = try? JSONDecoder().decode(Envelope.self, from: Data(body.utf8)), let params = json.params else { return nil }
        return (params.startLedger, params.pagination.limit)
    }

    private struct Envelope: Decodable {
        struct Params: Decodable {
            struct Pagination: Decodable { var limit: Int }
            var startLedger: UInt32
            var pagination: Pagination
        }
        var params: Params?
    }
}

/// An HTTP/1.1 server that responds to requests by a script, byte by byte as told, and remembers them.
final class ScriptedServer: Sendable {
    private struct State {
        var script: [Reply]
        var seen: [SeenRequest] = []
        var connections = 0
    }

    private let state: Mutex<State>
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let afterwards: @Sendable (SeenRequest) -> Reply
    private let onRequest: @Sendable (SeenRequest) -> Void

    private init(
        _ script: [Reply], _ afterwards: @escaping @Sendable (SeenRequest) -> Reply, _ onRequest: @escaping @Sendable (SeenRequest) -> Void
    ) {
        state = Mutex(State(script: script))
        self.afterwards = afterwards
        self.onRequest = onRequest
    }

    /// All requests so far.
    var seen: [SeenRequest] { state.withLock { $0.seen } }
    /// Connections accepted so far.
    var connections: Int { state.withLock { $0.connections } }

    /// Runs `body` with the port of a server that gives the replies of `script` in turn, and those of `afterwards` when they are used up.
    static func run<Value: Sendable>(
        _ script: [Reply] = [], then afterwards: @escaping @Sendable (SeenRequest) -> Reply = { _ in .close },
        onRequest: @escaping @Sendable (SeenRequest) -> Void = { _ in },
        _ body: (ScriptedServer, Int) async throws -> Value
    ) async throws -> Value {
        let server = ScriptedServer(script, afterwards, onRequest)
        let channel = try await ServerBootstrap(group: server.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let number = server.state.withLock { state in
                    state.connections += 1
                    return state.connections
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(server, number))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let value = try await body(server, channel.localAddress?.port ?? 0)
            try await channel.close()
            try await server.group.shutdownGracefully()
            return value
        } catch {
            try? await channel.close()
            try? await server.group.shutdownGracefully()
            throw error
        }
    }

    fileprivate func reply(to request: SeenRequest) -> Reply {
        let scripted = state.withLock { state in
            state.seen.append(request)
            return state.script.isEmpty ? nil : state.script.removeFirst()
        }
        onRequest(request)
        return scripted ?? afterwards(request)
    }
}

/// Collects a request (head, then Content-Length bytes) and writes what the server replies.
private final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: ScriptedServer
    private let number: Int
    private var received = ByteBuffer()

    init(_ server: ScriptedServer, _ number: Int) {
        self.server = server
        self.number = number
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        while let request = takeRequest() {
            carryOut(server.reply(to: request), context)
        }
    }

    private func takeRequest() -> SeenRequest? {
        let bytes = Array(received.readableBytesView)
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let length = Int(headers["content-length"] ?? "0") ?? 0
        guard bytes.count >= end.upperBound + length else { return nil }
        received.moveReaderIndex(forwardBy: end.upperBound + length)
        let body = String(decoding: bytes[end.upperBound..<(end.upperBound + length)], as: UTF8.self)
        return SeenRequest(connection: number, line: lines.first ?? "", headers: headers, body: body)
    }

    private func carryOut(_ reply: Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .response(let status, let headers, let body):
            let extra = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
            send(["HTTP/1.1 \(status) Scripted\r\n\(extra)content-length: \(body.count)\r\n\r\n"], body, context, close: false)
        case .chunked(let body, let chunk):
            write(Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8), context)
            for start in stride(from: 0, to: body.count, by: chunk) {
                let piece = body[start..<min(body.count, start + chunk)]
                write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8), context)
            }
            write(Array("0\r\n\r\n".utf8), context)
        case .cut(let body, let announced):
            send(["HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n"], body, context, close: true)
        case .slow(let pieces, let pause, let announced):
            write(Array("HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n".utf8), context)
            for (index, piece) in pieces.enumerated() {
                context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause) * index) { self.write(piece, context) }
            }
        case .untilClose(let body):
            send(["HTTP/1.1 200 OK\r\n\r\n"], body, context, close: true)
        case .close: context.close(promise: nil)
        case .silence: break
        }
    }

    private func send(_ head: [String], _ body: [UInt8], _ context: ChannelHandlerContext, close: Bool) {
        write(Array(head.joined().utf8) + body, context)
        if close { context.close(promise: nil) }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
