import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What the service does with one request.
enum Reply: Sendable {
    /// A whole response with Content-Length; the connection stays open.
    case response(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = [])
    /// A response in chunks of the size given, without Content-Length.
    case chunked(body: [UInt8], chunk: Int)
    /// Announces `announced` bytes, sends `body` and closes.
    case cut(body: [UInt8], announced: Int)
    /// Closes without a byte.
    case close
    /// Never responds.
    case silence

    static func text(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Reply {
        .response(status: status, headers: headers, body: Array(text.utf8))
    }
    /// An error as S3 words it.
    static func s3(_ status: Int, _ code: String, _ more: String = "", headers: [String: String] = [:]) -> Reply {
        .text(
            "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>words of the store</Message>\(more)</Error>", status: status,
            headers: headers)
    }
    /// A listing as S3 words it.
    static func listing(_ keys: [String], continuation: String? = nil) -> Reply {
        let contents = keys.map { "<Contents><Key>\($0)</Key><Size>1</Size></Contents>" }.joined()
        let rest =
            continuation.map { "<IsTruncated>true</IsTruncated><NextContinuationToken>\($0)</NextContinuationToken>" }
            ?? "<IsTruncated>false</IsTruncated>"
        return .text(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(rest)\(contents)"
                + "</ListBucketResult>"
        )
    }
}

/// A request as the service saw it.
struct SeenRequest: Sendable {
    var method: String
    /// Path and query as they came.
    var target: String
    var headers: [String: String]
    var body: String

    /// The region in the scope of a signature.
    var signedRegion: String? {
        headers["authorization"]?.split(separator: "/").dropFirst(2).first.map(String.init)
    }
    /// The access key of a signature.
    var signer: String? {
        headers["authorization"]?.split(separator: "=").dropFirst().first?.split(separator: "/").first.map(String.init)
    }
    /// Whether it asks for a listing.
    var isListing: Bool { target.contains("list-type=2") || target.contains("maxResults=") }
}

/// An HTTP/1.1 server in this process that a closure answers for; it remembers what it was asked.
final class LocalService: Sendable {
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
    var seen: [SeenRequest] { state.withLock { $0.seen } }
    /// Connections accepted so far.
    var connections: Int { state.withLock { $0.connections } }
    /// `http://127.0.0.1:PORT`.
    var url: String { "http://127.0.0.1:\(portNumber.withLock { $0 })" }

    /// Runs `body` with a service that answers as `answer` says, which is told the request and its number from 1.
    static func run<Value: Sendable>(
        _ answer: @escaping @Sendable (SeenRequest, Int) -> Reply, _ body: (LocalService) async throws -> Value
    ) async throws -> Value {
        let service = LocalService(answer)
        let channel = try await ServerBootstrap(group: service.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 512)
            .childChannelInitializer { channel in
                service.state.withLock { $0.connections += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ServiceConnection(service))
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
private final class ServiceConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let service: LocalService
    private var received = ByteBuffer()

    init(_ service: LocalService) {
        self.service = service
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        while let request = takeRequest() { carryOut(service.reply(to: request), context) }
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
        return SeenRequest(method: String(line.first ?? ""), target: line.count > 1 ? String(line[1]) : "", headers: headers, body: body)
    }

    private func carryOut(_ reply: Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .response(let status, let headers, let body):
            let extra = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
            write(Array("HTTP/1.1 \(status) Local\r\n\(extra)content-length: \(body.count)\r\n\r\n".utf8) + body, context)
        case .chunked(let body, let chunk):
            write(Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8), context)
            for start in stride(from: 0, to: body.count, by: chunk) {
                let piece = body[start..<min(body.count, start + chunk)]
                write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8), context)
            }
            write(Array("0\r\n\r\n".utf8), context)
        case .cut(let body, let announced):
            write(Array("HTTP/1.1 200 OK\r\ncontent-length: \(announced)\r\n\r\n".utf8) + body, context)
            context.close(promise: nil)
        case .close: context.close(promise: nil)
        case .silence: break
        }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
