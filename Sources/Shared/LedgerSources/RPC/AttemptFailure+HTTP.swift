internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOPosix

extension AttemptFailure {
    /// From what the HTTP client threw. Its errors hold no URL; still only known ones are spelled out.
    init(transport error: any Error, answerBegun: Bool) {
        switch error {
        case let error as HTTPClientError: self.init(client: error, answerBegun: answerBegun)
        case let error as AnswerTooLarge: self.init(.answerTooLarge, "the answer of \(error.bytes) bytes or more is larger than allowed")
        case let error as NIOConnectionError:
            let cause =
                error.connectionErrors.first.map { Self.plain($0.error) } ?? error.dnsAError.map { Self.plain($0) } ?? "unknown host"
            self.init(.connection, "cannot connect: \(cause)")
        case let error as ChannelError: self.init(.connection, "cannot connect or send: \(error)")
        case let error as IOError where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains(error.errnoCode):
            self.init(.connection, "cannot connect: \(Self.plain(error))")
        case let error as IOError:
            self.init(
                .connection, "the connection broke: \(Self.plain(error))", retryAtOnce: !answerBegun && Self.meansDeadConnection(error))
        case is CancellationError: self.init(.cancelled, "cancelled")
        default: self.init(.connection, "the connection failed: \(Self.plain(error))")
        }
    }

    private init(client error: HTTPClientError, answerBegun: Bool) {
        switch error {
        // A cancelled task fails its request with a CancellationError; this one comes from the client's own shutdown.
        case .cancelled, .alreadyShutdown: self.init(.closed, "the client was shut down")
        case .readTimeout: self.init(.timeout, "no byte came within the time allowed")
        case .writeTimeout, .deadlineExceeded: self.init(.timeout, "the request took longer than allowed")
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            self.init(.connection, "cannot connect in the time allowed")
        case .remoteConnectionClosed where answerBegun: self.init(.cutAnswer, "the connection was closed in the middle of the answer")
        // A kept connection that the other side has given up looks like this: the next try takes another one.
        case .remoteConnectionClosed: self.init(.connection, "the connection was closed before the answer", retryAtOnce: true)
        default: self.init(.connection, "the connection failed: \(error.description)")
        }
    }

    private static func meansDeadConnection(_ error: IOError) -> Bool {
        error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
    }

    private static func plain(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return String(String(describing: error).prefix(200))
    }

    /// From an HTTP status other than 2xx, with what the body says if it says anything readable.
    init(status: Int, retryAfter: Duration?, body: String) {
        let said = body.isEmpty ? "" : ": \(Self.shown(body))"
        switch status {
        case 408, 504: self.init(.timeout, "HTTP \(status), the server did not manage in time\(said)", retryAfter: retryAfter)
        case 425, 429: self.init(.overloaded, "HTTP \(status), too many requests\(said)", retryAfter: retryAfter)
        case 500...599: self.init(.serverFailure, "HTTP \(status)\(said)", retryAfter: retryAfter)
        case 300...399: self.init(.refused, "HTTP \(status): the server redirects; give the URL that it redirects to")
        case 401, 403: self.init(.refused, "HTTP \(status): the server does not accept the credentials in the URL\(said)")
        case 404: self.init(.refused, "HTTP 404: there is no RPC at the URL's path\(said)")
        default: self.init(.refused, "HTTP \(status)\(said)")
        }
    }

    /// Words of a server as they may stand in a message: one line of reasonable length.
    static func shown(_ text: String) -> String {
        let line = String(text.unicodeScalars.prefix(300).map { $0.properties.generalCategory == .control ? " " : Character($0) })
        return line.trimmingCharacters(in: .whitespaces)
    }
}
