internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOPosix

/// Why one try of a request failed.
struct AttemptFailure: Error {
    /// The kind of failure.
    var code: LedgerSourceError.Code
    /// What happened, for a person.
    var detail: String
    /// How long the server wants to be left alone.
    var retryAfter: Duration?
    /// The next try should not wait: a kept connection turned out to be dead, or a limit was just learned.
    var retryAtOnce = false
    /// The ledger that is wrong, where one is.
    var ledger: UInt32?
    /// Whoever takes the ledgers wants no more, and threw this: no failure of the server.
    var stopped: (any Error)?

    init(
        _ code: LedgerSourceError.Code, _ detail: String, ledger: UInt32? = nil, retryAfter: Duration? = nil, retryAtOnce: Bool = false
    ) {
        self.code = code
        self.detail = detail
        self.ledger = ledger
        self.retryAfter = retryAfter
        self.retryAtOnce = retryAtOnce
    }
}

extension AttemptFailure {
    /// From what the HTTP client threw. Its errors hold no URL; still only known ones are spelled out.
    init(transport error: any Error, responseBegun: Bool) {
        switch error {
        case let error as HTTPClientError: self.init(client: error, responseBegun: responseBegun)
        case let error as AttemptFailure: self = error
        case let error as Stopped:
            self.init(.cancelled, "the ledgers are not wanted any more")
            stopped = error.error
        case let error as JSONError: self.init(error.reason == .unexpectedEnd ? .cutResponse : .malformedResponse, "\(error)")
        case let error as NIOConnectionError:
            let cause =
                error.connectionErrors.first.map { Self.plain($0.error) } ?? error.dnsAError.map { Self.plain($0) } ?? "unknown host"
            self.init(.connection, "cannot connect: \(cause)")
        case let error as ChannelError: self.init(.connection, "cannot connect or send: \(error)")
        case let error as IOError where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains(error.errnoCode):
            self.init(.connection, "cannot connect: \(Self.plain(error))")
        case let error as IOError:
            self.init(
                .connection, "the connection broke: \(Self.plain(error))", retryAtOnce: !responseBegun && Self.meansDeadConnection(error))
        case is CancellationError: self.init(.cancelled, "cancelled")
        default: self.init(.connection, "the connection failed: \(Self.plain(error))")
        }
    }

    private init(client error: HTTPClientError, responseBegun: Bool) {
        switch error {
        // A cancelled task fails its request with a CancellationError; this one comes from the client's own shutdown.
        case .cancelled, .alreadyShutdown: self.init(.closed, "the client was shut down")
        case .readTimeout: self.init(.timeout, "no byte came within the time allowed")
        case .writeTimeout, .deadlineExceeded: self.init(.timeout, "the request took longer than allowed")
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            self.init(.connection, "cannot connect in the time allowed")
        case .remoteConnectionClosed where responseBegun: self.init(.cutResponse, "the connection was closed in the middle of the response")
        // A kept connection that the other side has given up looks like this: the next try takes another one.
        case .remoteConnectionClosed: self.init(.connection, "the connection was closed before the response", retryAtOnce: true)
        default: self.init(.connection, "the connection failed: \(error.description)")
        }
    }

    private static func meansDeadConnection(_ error: IOError) -> Bool {
        error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
    }

    private static func plain(_ error: any Error) -> String {
        if let error = error as? IOError { return unsafe String(cString: strerror(error.errnoCode)) }
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

extension AttemptFailure {
    /// What a JSON-RPC error means, and what can be learned from it.
    ///
    /// The codes are those of stellar-rpc (and its jrpc2 library): -32603 internal, -32001 processing limit exceeded, -32098 queue full, -32600 a start
    /// ledger outside of the served range, -32602 invalid parameters, -32601 unknown method.
    /// - Parameter asked: the ledgers asked for, if any were.
    init(_ error: RPCErrorObject, asked: ClosedRange<UInt32>?) {
        let said = "\(Self.shown(error.message)) (JSON-RPC \(error.code))" + (error.data.map { ", data \(Self.shown($0))" } ?? "")
        if let asked, let served = Self.servedRange(error) {
            if asked.lowerBound > served.upperBound {
                self.init(
                    .pastLatest,
                    "ledger \(asked.lowerBound) is past the latest that the server has: it serves ledgers \(served.lowerBound)-\(served.upperBound)"
                )
            } else {
                self.init(
                    .outsideRetention,
                    "asked for ledgers \(asked.lowerBound)-\(asked.upperBound), but the server keeps only ledgers "
                        + "\(served.lowerBound)-\(served.upperBound); use an RPC with a longer retention")
            }
            return
        }
        switch error.code {
        case -32001: self.init(.timeout, said)
        case -32098: self.init(.overloaded, said)
        case -32601:
            self.init(.methodNotFound, "the server does not know the method: \(said); is it a stellar-rpc of version 22.1 or later?")
        case -32603, -32099 ... -32000: self.init(.serverFailure, said)
        default: self.init(.invalidRequest, "the server refuses the request: \(said)")
        }
    }

    /// The range in "start ledger (N) must be between the oldest ledger: A and the latest ledger: B for this rpc instance".
    static func servedRange(_ error: RPCErrorObject) -> ClosedRange<UInt32>? {
        guard error.code == -32600 || error.code == -32602, error.message.contains("must be between") else { return nil }
        guard let oldest = number(in: error.message, after: "oldest ledger:"),
            let latest = number(in: error.message, after: "latest ledger:")
        else {
            return nil
        }
        return oldest <= latest ? oldest...latest : nil
    }

    /// The N in "limit must not exceed N".
    static func largestLimit(_ error: RPCErrorObject) -> Int? {
        number(in: error.message, after: "limit must not exceed").map(Int.init)
    }

    private static func number(in text: String, after words: String) -> UInt32? {
        guard let found = text.firstRange(of: words) else { return nil }
        let digits = text[found.upperBound...].drop { $0 == " " }.prefix { $0.isASCII && $0.isNumber }
        return UInt32(digits)
    }
}

/// What the receiver of ledgers threw: no failure of the source's.
struct Stopped: Error {
    let error: any Error
}
