internal import CLibPQ

/// A warning or notice that the server sent beside its answers.
public struct PostgresNotice: Sendable, Hashable {
    /// `WARNING`, `NOTICE`, `INFO`, ...: always in English.
    public let severity: String
    /// The five characters of SQLSTATE.
    public let sqlState: String
    /// The primary message.
    public let message: String
}

/// Where a connection's notices go; libpq holds an unretained pointer to it for as long as the connection lives.
final class NoticeSink {
    private let handler: @Sendable (PostgresNotice) -> Void

    init(_ handler: @escaping @Sendable (PostgresNotice) -> Void) {
        self.handler = handler
    }

    /// Takes the place of libpq's own receiver, which prints to stderr. The caller keeps the sink until after PQfinish.
    func receiveNotices(of connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { argument, result in
                guard let argument, let result else { return }
                Unmanaged<NoticeSink>.fromOpaque(argument).takeUnretainedValue().receive(result)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func receive(_ result: OpaquePointer) {
        handler(
            PostgresNotice(
                severity: ServerResult.field(.severity, of: result) ?? "NOTICE",
                sqlState: ServerResult.field(.sqlState, of: result) ?? "00000",
                message: ServerResult.field(.message, of: result) ?? "(no message)"))
    }
}
