internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
internal import Synchronization

/// Whether a process can do its work.
public enum Readiness: Hashable, Sendable {
    /// It can.
    case ready
    /// It cannot, for these reasons; they are shown to whoever asks, so they hold no secrets.
    case notReady([String])
}

/// Why a process cannot do its work yet: one task sets it, `/readyz` shows it.
public final class NotReadyReason: Sendable {
    private let stored: Mutex<String?>

    /// Not ready, for this reason.
    public init(_ reason: String) { stored = Mutex(reason) }

    /// The reason; nil once the process is ready.
    public var value: String? { stored.withLock { $0 } }

    /// Sets another reason, or none.
    public func set(_ reason: String?) { stored.withLock { $0 = reason } }

    /// The response to `/readyz`.
    public var readiness: Readiness { value.map { .notReady([$0]) } ?? .ready }
}

/// Something else that a server shows.
public struct OperationsPage: Sendable {
    let path: String
    let contentType: String
    let body: @Sendable () -> String

    /// - Parameters:
    ///   - path: such as `/status`.
    ///   - contentType: with its charset.
    ///   - body: made anew for each request.
    public init(path: String, contentType: String, body: @escaping @Sendable () -> String) {
        self.path = path
        self.contentType = contentType
        self.body = body
    }
}

/// What an operator's tools ask over HTTP: `/metrics` (Prometheus text), `/healthz` (200 while the process lives) and `/readyz` (200, or 503 with
/// the reasons).
///
/// It listens on all interfaces, as Prometheus runs elsewhere; it only tells, takes no input, and is off unless a port is given.
public struct OperationsServer: Sendable {
    private let host: String
    private let port: Int
    private let registry: MetricsRegistry
    private let pages: [OperationsPage]
    private let what: String
    private let readiness: @Sendable () async -> Readiness
    private let logger: Logger

    /// - Parameters:
    ///   - host: the address to listen on.
    ///   - port: the port; 0 takes any free one.
    ///   - registry: what `/metrics` shows.
    ///   - pages: what is shown beside it.
    ///   - what: what is served, for the log and errors.
    ///   - logger: gets where the server listens, and of its errors.
    ///   - readiness: asked for each `/readyz`.
    public init(
        host: String = "0.0.0.0", port: Int, registry: MetricsRegistry, pages: [OperationsPage] = [], what: String = "metrics",
        logger: Logger,
        readiness: @escaping @Sendable () async -> Readiness = { .ready }
    ) {
        self.host = host
        self.port = port
        self.registry = registry
        self.pages = pages
        self.what = what
        self.logger = logger
        self.readiness = readiness
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter onListening: called with the port when the server takes connections.
    /// - Throws: `OperationsError` where the port cannot be had.
    public func run(onListening: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        // Hummingbird reports its own end by cancellation as an error; what matters, the port, comes as a thrown error as well.
        var serverLogger = logger
        serverLogger.logLevel = .critical
        let application = Application(
            router: makeRouter(),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { [what] channel in
                let actual = channel.localAddress?.port ?? port
                logger.info("\(what) served", metadata: ["address": "http://\(host):\(actual)"])
                onListening(actual)
            },
            logger: serverLogger)
        do {
            try await application.run()
        } catch is CancellationError {
            return
        } catch {
            throw OperationsError("\(what) cannot be served on \(host):\(port): \(error)")
        }
    }

    private static let frameOptions = HTTPField.Name("X-Frame-Options") ?? .xContentTypeOptions

    private func makeRouter() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/metrics") { [registry] _, _ in
            Self.response(.ok, registry.render(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        for page in pages {
            router.get(RouterPath(page.path)) { [host] request, _ in
                guard Self.isMeant(request.head.authority, listeningOn: host) else {
                    return Self.response(.misdirectedRequest, "This server is for its own host: ask for 127.0.0.1 or localhost.\n")
                }
                return Self.response(.ok, page.body(), type: page.contentType)
            }
        }
        router.get("/healthz") { _, _ in
            Self.response(.ok, "alive\n")
        }
        router.get("/readyz") { [readiness] _, _ in
            switch await readiness() {
            case .ready: Self.response(.ok, "ready\n")
            case .notReady(let reasons): Self.response(.serviceUnavailable, "not ready\n" + reasons.map { $0 + "\n" }.joined())
            }
        }
        return router
    }

    /// Whether a request on loopback was meant for loopback: another site's page can make a browser ask for that site's name and lead the name here.
    package static func isMeant(_ authority: String?, listeningOn host: String) -> Bool {
        let loopback = ["127.0.0.1", "localhost", "::1", "[::1]"]
        guard loopback.contains(host), let authority else { return true }
        let name = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return loopback.contains(name.lowercased())
    }

    private static func response(_ status: HTTPResponse.Status, _ body: String, type: String = "text/plain; charset=utf-8") -> Response {
        // Each is about this moment.
        Response(
            status: status,
            headers: [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff", frameOptions: "DENY"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }
}

/// What keeps an operator's surface from working; the message says what failed and where.
public struct OperationsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed.
    public let message: String
    /// The message.
    public var description: String { message }

    init(_ message: String) {
        self.message = message
    }
}
