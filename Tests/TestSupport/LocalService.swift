import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What the service does with one request.
package enum Reply: Sendable {
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

    package static func text(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Reply {
        .response(status: status, headers: headers, body: Array(text.utf8))
    }
}

/// A request as the service saw it.
package struct SeenRequest: Sendable {
    /// Which connection it came on, from 1.
    package var connection: Int
    package var method: String
    /// Path and query as they came.
    package var target: String
    package var headers: [String: String]
    package var body: String
}

/// An HTTP/1.1 server in this process that a closure answers for, byte by byte as told; it remembers what it was asked.
package final class LocalService: Sendable {
    private struct State {
        var seen: [SeenRequest] = []
        var connections = 0
    }

    private let state = Mutex(State())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let answer: @Sendable (SeenRequest, Int) -> Reply
    private let portNumber = Mutex(0)

    private init(_ answer: @escaping @Sendable (SeenRequest, Int) -> Reply) {
        self.answer = answer
    }

    /// All requests so far.
    package var seen: [SeenRequest] { state.withLock { $0.seen } }
    /// Connections accepted so far.
    package var connections: Int { state.withLock { $0.connections } }
    package var port: Int { portNumber.withLock { $0 } }
    /// `http://127.0.0.1:PORT`.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Runs `body` with a service that answers as `answer` says, which is told the request and its number from 1.
    package static func run<Value: Sendable>(
        _ answer: @escaping @Sendable (SeenRequest, Int) -> Reply, _ body: (LocalService) async throws -> Value
    ) async throws -> Value {
        let service = LocalService(answer)
        let channel = try await ServerBootstrap(group: service.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 512)
            .childChannelInitializer { channel in
                let number = service.state.withLock { state in
                    state.connections += 1
                    return state.connections
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(service, number))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        service.portNumber.withLock { $0 = channel.localAddress?.port ?? 0 }
        do {
            let value = try await body(service)
            try await channel.close()
            try await service.group.shutdownGracefully()
            return value
        } catch {
            try? await channel.close()
            try? await service.group.shutdownGracefully()
            throw error
        }
    }

    fileprivate func reply(to request: SeenRequest) -> Reply {
        let number = state.withLock { state in
            state.seen.append(request)
            return state.seen.count
        }
        return answer(request, number)
    }
}

/// Collects a request (head, then Content-Length bytes) and writes what the service replies.
private final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let service: LocalService
    private let number: Int
    private var received = ByteBuffer()

    init(_ service: LocalService, _ number: Int) {
        self.service = service
        self.number = number
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        while let request = takeRequest() {
            carryOut(service.reply(to: request), context)
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
        let line = (lines.first ?? "").split(separator: " ")
        return SeenRequest(
            connection: number, method: String(line.first ?? ""), target: line.count > 1 ? String(line[1]) : "", headers: headers,
            body: body)
    }

    private func carryOut(_ reply: Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .response(let status, let headers, let body):
            let extra = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
            send("HTTP/1.1 \(status) Local\r\n\(extra)content-length: \(body.count)\r\n\r\n", body, context, close: false)
        case .chunked(let body, let chunk):
            write(Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8), context)
            for start in stride(from: 0, to: body.count, by: chunk) {
                let piece = body[start..<min(body.count, start + chunk)]
                write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8), context)
            }
            write(Array("0\r\n\r\n".utf8), context)
        case .cut(let body, let announced):
            send("HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n", body, context, close: true)
        case .slow(let pieces, let pause, let announced):
            write(Array("HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n".utf8), context)
            for (index, piece) in pieces.enumerated() {
                context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause) * index) { self.write(piece, context) }
            }
        case .untilClose(let body):
            send("HTTP/1.1 200 OK\r\n\r\n", body, context, close: true)
        case .close: context.close(promise: nil)
        case .silence: break
        }
    }

    private func send(_ head: String, _ body: [UInt8], _ context: ChannelHandlerContext, close: Bool) {
        write(Array(head.utf8) + body, context)
        if close { context.close(promise: nil) }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
