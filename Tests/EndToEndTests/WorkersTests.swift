import Foundation
import Membership
import Pipeline
import PostgreSQL
import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing
import ZeroMQ

/// Fetcher and writer as processes; the test plays the coordinator, in the plainest way.
@Suite(.serialized, .timeLimit(.minutes(5))) struct WorkersTests {
    /// All of the range comes through in one round, whatever the length of the batches.
    @Test(arguments: [1, 7, 10_000]) func allRowsComeThrough(batchSize: Int) async throws {
        try await Stage.with { stage in
            let range = UInt32(stage.fixture.ledgers.lowerBound)...UInt32(stage.fixture.ledgers.upperBound)
            let ids = stage.fixture.contracts.keys.map { ProtocolID(rawValue: $0) }.sorted()
            for id in ids {
                try await stage.connection.query(
                    "INSERT INTO ingest_store VALUES ($1, $2)", [id.historyCursorKey, "\(range.lowerBound - 1)"])
            }
            try await PlayedCoordinator.with(stage) { coordinator in
                try coordinator.start("wallet-backend-writer", ["DATABASE_URL": stage.databaseText])
                for _ in 0..<2 { try coordinator.start("wallet-backend-fetcher", ["RPC_URL": stage.rpcURL]) }
                try await Self.round(coordinator, stage, ids, range, batchSize)
            }
            try await stage.expectRows()
            for id in ids { #expect(try await stage.cursor(id.rawValue) == "\(range.upperBound)") }
        }
    }

    private static func round(
        _ coordinator: PlayedCoordinator, _ stage: Stage, _ ids: [ProtocolID], _ range: LedgerRange, _ batchSize: Int
    ) async throws {
        let contracts = ContractSet(
            Dictionary(
                uniqueKeysWithValues: stage.fixture.contracts.map { id, contracts in
                    (ProtocolID(rawValue: id), contracts.compactMap { Hash32(hex: $0) })
                }))
        var fetchers: [PeerID] = []
        var writer: (peer: PeerID, endpoint: String)?
        var hasBegun = false
        var next = range.lowerBound
        var batches = 0
        for await (peer, content) in coordinator.messages {
            switch content {
            case .hello(let hello):
                let welcome = Welcome(worker: fetchers.count + 2, protocols: ids, networkPassphrase: Stage.passphrase)
                if hello.role == .fetcher { fetchers.append(peer) } else { writer = (peer, try #require(hello.rowsEndpoint)) }
                try coordinator.send(.welcome(welcome), to: peer)
            case .writer(.ready):
                hasBegun = true
                try coordinator.send(
                    .writer(
                        .begin(
                            round: 1, cursors: Dictionary(uniqueKeysWithValues: ids.map { ($0, range.lowerBound - 1) }),
                            oldestName: "oldest_ingest_ledger")), to: peer)
            case .fetcher(.ready(let round, let count)):
                #expect(round == 1)
                var assigned: [Batch] = []
                while assigned.count < count, next <= range.upperBound {
                    batches += 1
                    let last = min(range.upperBound, next + UInt32(batchSize) - 1)
                    assigned.append(Batch(id: batches, ledgers: next...last, protocols: ids))
                    next = last + 1
                }
                if !assigned.isEmpty { try coordinator.send(.fetcher(.assign(round: 1, batches: assigned)), to: peer) }
            case .writer(.committed(_, let report)):
                if report.ledgers.upperBound == range.upperBound { return }
            case .fetcher(.failed(_, _, let reason, _)), .writer(.interrupted(_, let reason, _)), .writer(.refused(_, _, _, let reason, _)):
                Issue.record("\(reason)\n\(coordinator.log)")
                return
            case .fetcher, .writer, .goodbye: break
            }
            guard hasBegun, fetchers.count == 2, let endpoint = writer?.endpoint else { continue }
            for fetcher in fetchers {
                try coordinator.send(
                    .fetcher(
                        .begin(
                            round: 1, writer: endpoint, contracts: ContractsReference(digest: contracts.digest, attachment: .whole))),
                    [Frame(contracts.encoded)], to: fetcher)
            }
            hasBegun = false
        }
    }

    /// A fetcher whose source is on another network asks for no work: it says why, and ends.
    @Test func aFetcherOnAnotherNetworkAsksForNoWork() async throws {
        try await Stage.with { stage in
            try await PlayedCoordinator.with(stage) { coordinator in
                let fetcher = try coordinator.start("wallet-backend-fetcher", ["RPC_URL": stage.rpcURL])
                let contracts = ContractSet.empty
                for await (peer, content) in coordinator.messages {
                    switch content {
                    case .hello:
                        try coordinator.send(
                            .welcome(Welcome(worker: 2, protocols: ["SEP41"], networkPassphrase: "Another Network ; 2026")), to: peer)
                        try coordinator.send(
                            .fetcher(
                                .begin(
                                    round: 1, writer: "ipc:///nowhere",
                                    contracts: ContractsReference(digest: contracts.digest, attachment: .whole))),
                            [Frame(contracts.encoded)], to: peer)
                    case .fetcher(.ready): Issue.record("it asks for work")
                    case .fetcher(.unfit(let reason)): #expect(reason.contains("Another Network"))
                    case .goodbye:
                        #expect(await fetcher.exit() == 1, "\(fetcher.log)")
                        return
                    default: break
                    }
                }
            }
        }
    }

    /// A second writer stays outside, without a connection to the database, and comes in when the first has gone.
    @Test func aSecondWriterStandsByUntilItIsLetIn() async throws {
        try await Stage.with { stage in
            try await PlayedCoordinator.with(stage) { coordinator in
                let writer = try coordinator.start("wallet-backend-writer", ["DATABASE_URL": stage.databaseText])
                var hellos = 0
                for await (peer, content) in coordinator.messages {
                    switch content {
                    case .hello where hellos < 3:
                        hellos += 1
                        try coordinator.send(.standBy, to: peer)
                        let sessions = try await stage.connection.query(
                            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'wallet-backend writer' AND datname = current_database()"
                        )
                        #expect(sessions.isEmpty)
                    case .hello:
                        try coordinator.send(
                            .welcome(Welcome(worker: 3, protocols: ["SEP41"], networkPassphrase: Stage.passphrase)), to: peer)
                    case .writer(.ready): return
                    case .writer(.heartbeat): #expect(hellos == 3, "it is not registered\n\(writer.log)")
                    default: break
                    }
                }
            }
        }
    }

    /// The socket file of a writer that was killed is removed by the next one, nobody else's, and its own when it ends.
    @Test func noSocketFilesAreLeftBehind() async throws {
        try await Stage.with { stage in
            try await PlayedCoordinator.with(stage) { coordinator in
                var writer = try coordinator.start("wallet-backend-writer", ["DATABASE_URL": stage.databaseText])
                var first: [String]?
                for await (_, content) in coordinator.messages {
                    guard case .hello(let hello) = content, hello.pid == writer.pid else { continue }
                    let files = try coordinator.files()
                    #expect(files.count == 2 && files.first == "c" && files.last?.hasPrefix("c-rows-") == true, "\(files)")
                    #expect(files != first)
                    if first != nil { break }
                    first = files
                    writer.send(SIGKILL)
                    _ = await writer.exit()
                    #expect(try coordinator.files() == files)
                    writer = try coordinator.start("wallet-backend-writer", ["DATABASE_URL": stage.databaseText])
                }
                let files = try coordinator.files()
                RowsEndpoint.removeAbandoned(beside: coordinator.endpoint)
                #expect(try coordinator.files() == files, "somebody listens there")
                writer.send(SIGTERM)
                _ = await writer.exit()
                #expect(try coordinator.files() == ["c"])
            }
        }
    }
}

/// A coordinator's socket, and the workers that are to connect to it.
private final class PlayedCoordinator {
    let messages: AsyncStream<(PeerID, WorkerContent)>
    private let run = RunID.random()
    private let folder: URL
    private let loop: SocketLoop
    private let router: RouterSocket
    private let receiving: Task<Void, any Error>
    private var programs: [RunningProgram] = []

    static func with(_ stage: Stage, _ body: (PlayedCoordinator) async throws -> Void) async throws {
        let coordinator = try await PlayedCoordinator()
        do {
            try await body(coordinator)
            await coordinator.end()
        } catch {
            await coordinator.end()
            throw error
        }
    }

    private init() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("workers-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        loop = try SocketLoop(name: "test")
        let router = try await loop.bindRouter("ipc://\(folder.path)/c")
        self.router = router
        let (messages, received) = AsyncStream<(PeerID, WorkerContent)>.makeStream()
        self.messages = messages
        receiving = Task {
            for try await (peer, message) in router.messages {
                guard let frame = message.frames.first else { continue }
                received.yield((peer, try Wire.decode(Envelope<WorkerContent>.self, from: frame.copyBytes()).content))
            }
        }
    }

    @discardableResult
    func start(_ program: String, _ environment: [String: String]) throws -> RunningProgram {
        let program = try RunningProgram(
            program, ["--log-level", "debug"], environment: environment.merging(["ENDPOINT": "\(router.endpoint)"]) { $1 })
        programs.append(program)
        return program
    }

    func send(_ content: CoordinatorContent, _ frames: [Frame] = [], to peer: PeerID) throws {
        let first = Frame(try Wire.encode(Envelope(run: run, worker: 1, content: content)))
        router.send(Message([first] + frames), to: peer)
    }

    var endpoint: Endpoint { router.endpoint }

    var log: String { programs.map { "\($0.log)" }.joined(separator: "\n") }

    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

    private func end() async {
        for program in programs { program.send(SIGTERM) }
        for program in programs { _ = await program.exit() }
        receiving.cancel()
        await loop.shutdown()
        try? FileManager.default.removeItem(at: folder)
    }
}
