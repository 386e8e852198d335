import Foundation
import Logging
import Membership
import Pipeline
import Protocols
import TestSupport
import Testing
import ZeroMQ

/// The writer as a process, between a coordinator and a fetcher that the test plays: so it decides what comes first.
final class WriterAlone: Sendable {
    let program: RunningProgram
    let run = RunID.random()
    private let folder: URL
    private let loop: SocketLoop
    private let switchboard: Switchboard
    private let peer: PeerID
    private let rows: DealerSocket
    private let answers: AsyncStream<WorkerMessage>
    private let receiving: Task<Void, any Error>

    /// Starts a writer for SEP41, registers it, and waits until it is ready.
    init(_ stage: Stage) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("writer-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let endpoint = "ipc://\(folder.path)/c"
        loop = try SocketLoop(name: "test")
        switchboard = Switchboard(router: try await loop.bindRouter(endpoint), run: run, logger: Logger(label: "test"))
        program = try RunningProgram(
            "wallet-backend-writer", ["--endpoint", endpoint, "--log-level", "debug"], environment: ["DATABASE_URL": stage.databaseText])
        let (hellos, greeted) = AsyncStream<(PeerID, Hello)>.makeStream()
        let (answers, answered) = AsyncStream<WorkerMessage>.makeStream()
        self.answers = answers
        receiving = Task { [switchboard] in
            try await switchboard.receive { peer, envelope in
                if case .hello(let hello) = envelope.body { greeted.yield((peer, hello)) } else { answered.yield(envelope.body) }
            }
        }
        var greetings = hellos.makeAsyncIterator()
        let (peer, hello) = try #require(await greetings.next(), "\(program.log)")
        self.peer = peer
        rows = try await loop.connectDealer(try #require(hello.rowsEndpoint))
        send(.welcome(worker: 1, protocols: ["SEP41"]))
        try await answer { $0 == .writerReady }
    }

    /// As the coordinator.
    func send(_ message: CoordinatorMessage) { switchboard.send(message, to: peer, worker: 1) }

    /// As the fetcher with the number 2: a batch without rows.
    func deliver(_ ledgers: LedgerRange, run: RunID? = nil, epoch: Epoch) throws {
        let header = RowsHeader(
            run: run ?? self.run, epoch: epoch, worker: 2,
            batch: Batch(id: Int(ledgers.lowerBound), ledgers: ledgers, protocols: ["SEP41"]),
            parts: [.init(protocolID: "SEP41", frames: [])], previousHash: "h\(ledgers.lowerBound - 1)", lastHash: "h\(ledgers.upperBound)")
        rows.send(Message([Frame(try Wire.encode(header))]))
    }

    /// Waits for an answer that fits, and gives all from the last one on to that one, heartbeats left out.
    @discardableResult
    func answer(_ fits: (WorkerMessage) -> Bool) async throws -> [WorkerMessage] {
        var before: [WorkerMessage] = []
        for await message in answers {
            if case .heartbeat = message { continue }
            before.append(message)
            if fits(message) { return before }
        }
        throw NoAnswer()
    }

    struct NoAnswer: Error {}

    /// Ends the writer and what the test plays.
    func end() async {
        program.send(SIGTERM)
        _ = await program.exit()
        receiving.cancel()
        await loop.shutdown()
        try? FileManager.default.removeItem(at: folder)
    }
}
