internal import Hummingbird
internal import Logging
internal import NIOCore

/// What a simulator serves.
protocol SimulatedService: Sendable {
    /// What was served and asked for.
    var counts: ServedCounts { get }
    /// What keeps some of it back.
    var hold: Hold { get }
    /// Lets one more of it appear; false where there is no further one.
    func close() -> Bool
    /// Adds its own paths.
    func addRoutes(to router: Router<ConnectionContext>)
}

/// A service over HTTP, and what all of them have: `GET /stats` for the counts, `POST /close` to let one more ledger or file appear, `POST /release` for
/// what is kept back, `POST /hold?from=N` to keep back again.
struct SimulatorServer<Service: SimulatedService>: Sendable {
    let host: String
    let port: Int
    let service: Service
    /// Time from one close to the next; nil: nothing closes by itself.
    let closeEvery: Duration?
    let logger: Logger

    /// Serves until the task is cancelled.
    /// - Throws: `SimulatorError.bind`.
    func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
        // It takes every cut connection for an error, and cutting some is what this server is for.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: router(), configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) }, logger: quiet)
        // The server ends when it has answered what it was asked.
        try await withTaskCancellationHandler {
            try await serve(application)
        } onCancel: {
            service.hold.release()
        }
    }

    private func serve(_ application: some ApplicationProtocol) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await application.run()
                } catch let error as IOError {
                    throw SimulatorError.bind(host: host, port: port, reason: "\(error)")
                }
            }
            if let closeEvery {
                group.addTask {
                    repeat { try await Task.sleep(for: closeEvery) } while service.close()
                }
            }
            while try await group.next() != nil {}
        }
    }

    private func router() -> Router<ConnectionContext> {
        let router = Router(context: ConnectionContext.self, options: .autoGenerateHeadEndpoints)
        router.get("/stats") { _, _ in Response(json: service.counts.json) }
        router.post("/close") { _, _ in Response(status: service.close() ? .noContent : .conflict) }
        router.post("/release") { _, _ in
            service.hold.release()
            return Response(status: .noContent)
        }
        router.post("/hold") { request, _ in
            guard let ledger = request.uri.queryParameters["from"].flatMap({ UInt32($0) }) else { return Response(status: .badRequest) }
            service.hold.hold(from: ledger)
            return Response(status: .noContent)
        }
        service.addRoutes(to: router)
        return router
    }
}
