internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

extension ObjectStoreError {
    /// From what the HTTP client threw. Its errors hold no URL; still only known ones are spelled out.
    package init(transport error: any Error, answerBegun: Bool) {
        switch error {
        case let error as HTTPClientError: self.init(client: error, answerBegun: answerBegun)
        case let error as AnswerTooLarge:
            self.init(.tooLarge, "an object of \(error.bytes) bytes or more, where \(error.limit) are allowed")
        case is CancellationError: self.init(.cancelled, "cancelled")
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { Self.plain($0.error) } ?? "the host name is not known"
            self.init(.connection, "cannot connect: \(cause)")
        case let error as ChannelError: self.init(.connection, "cannot connect or send: \(error)")
        case is HTTPParserError where answerBegun: self = .cutShort
        case is IOError where answerBegun: self = .cutShort
        case let error as HTTPParserError: self.init(.unexpectedAnswer, "the answer is not HTTP (\(error))")
        default: self.init(.connection, "the connection failed: \(Self.plain(error))")
        }
    }

    private init(client error: HTTPClientError, answerBegun: Bool) {
        switch error {
        // A cancelled task fails its request with a CancellationError; these come from the client's own shutdown.
        case .cancelled, .alreadyShutdown: self.init(.closed, "the store was shut down")
        case .readTimeout: self.init(.timeout, "no byte came within the time allowed")
        case .writeTimeout, .deadlineExceeded: self.init(.timeout, "the request took longer than allowed")
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            self.init(.connection, "cannot connect in the time allowed")
        case .remoteConnectionClosed where answerBegun, .uncleanShutdown where answerBegun: self = .cutShort
        case .remoteConnectionClosed: self.init(.connection, "the connection was closed before the answer")
        default: self.init(.connection, "the connection failed: \(error.description)")
        }
    }

    private static var cutShort: ObjectStoreError {
        ObjectStoreError(.cut, "the connection was closed in the middle of the object")
    }

    private static func plain(_ error: any Error) -> String {
        if let error = error as? IOError { return unsafe String(cString: strerror(error.errnoCode)) }
        return ServerWords.shown(String(describing: error))
    }
}
