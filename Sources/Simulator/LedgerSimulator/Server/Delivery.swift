internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// How responses go out: how late and how fast, cut or not at all where a fault asks for that.
struct Delivery: Sendable {
    /// What a body is.
    enum ContentType: String {
        case json = "application/json"
        case bytes = "application/octet-stream"
    }

    /// Waited before each response.
    let latency: Duration
    /// How fast a body goes out; nil: as fast as it can.
    let bytesPerSecond: Int?

    /// Waits as long as a response takes to begin.
    func begin() async throws {
        if latency > .zero { try await Task.sleep(for: latency) }
    }

    /// The whole body.
    func whole(_ parts: [ByteBuffer], type: ContentType) -> Response {
        Response(
            status: .ok, headers: [.contentType: type.rawValue],
            body: bytesPerSecond.map { throttled(parts, to: $0) } ?? ResponseBody(contentsOf: parts))
    }

    /// The first half of a body that says how long the whole would be; then the server closes the connection.
    func cut(_ parts: [ByteBuffer], type: ContentType) -> Response {
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
        return Response(status: .ok, headers: [.contentType: type.rawValue], body: body)
    }

    /// Closes the connection before the head of a response is written; what the server writes afterwards goes nowhere.
    func drop(_ context: ConnectionContext) -> Response {
        context.channel.close(promise: nil)
        return Response(status: .ok)
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

    /// Ends a response in the middle: the server closes the connection.
    private struct Cut: Error {}
}

extension Response {
    /// A response that always comes at once and whole.
    init(json text: String) {
        self.init(
            status: .ok, headers: [.contentType: Delivery.ContentType.json.rawValue],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
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
