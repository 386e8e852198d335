import Foundation
import Logging
import Membership
import Pipeline
import StateChanges
import TestSupport
import Testing
import ZeroMQ

/// The writer as a process, between a coordinator and a fetcher that the test plays: so it decides what comes first.
final class WriterAlone: Sendable {
    let program: RunningProgram
    let run = RunID.random()
    private let folder: URL
    private let loop: SocketLoop
    private let control: RouterSocket
    private let peer: PeerID
    private let rows: DealerSocket
    private let reports: AsyncStream<WriterMessage>
    private let replies: AsyncStream<RowsReply>
    private let receiving: [Task<Void, any Error>]

    /// Starts a writer for SEP41, registers it, and waits until it is ready.
    init(_ stage: Stage) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("writer-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let endpoint = "ipc://\(folder.path)/c"
        loop = try SocketLoop(name: "test")
        let control = try await loop.bindRouter(endpoint)
        self.control = control
        program = try RunningProgram(
            "wallet-backend-writer", ["--endpoint", endpoint, "--log-level", "debug"], environment: ["DATABASE_URL": stage.databaseText])
        let (hellos, greeted) = AsyncStream<(PeerID, Hello)>.makeStream()
        let (reports, reported) = AsyncStream<WriterMessage>.makeStream()
        self.reports = reports
        let listening = Task {
            for try await (peer, message) in control.messages {
                guard let frame = message.frames.first else { continue }
                switch try Wire.decode(Envelope<WorkerContent>.self, from: frame).content {
                case .hello(let hello): greeted.yield((peer, hello))
                case .writer(let report): reported.yield(report)
                case .goodbye, .fetcher: break
                }
            }
        }
        var greetings = hellos.makeAsyncIterator()
        let (peer, hello) = try #require(await greetings.next(), "\(program.log)")
        self.peer = peer
        let rows = try await loop.connectDealer(try #require(hello.rowsEndpoint))
        self.rows = rows
        let (replies, replied) = AsyncStream<RowsReply>.makeStream()
        self.replies = replies
        receiving = [
            listening,
            Task {
                for try await message in rows.messages {
                    if let frame = message.frames.first { replied.yield(try Wire.decode(RowsReply.self, from: frame)) }
                }
            },
        ]
        try send(.welcome(Welcome(worker: 1, protocols: ["SEP41"], networkPassphrase: "none")))
        try await report { $0 == .ready }
    }

    /// As the coordinator.
    func send(_ content: CoordinatorContent) throws {
        control.send(Message(Frame(try Wire.encode(Envelope(run: run, worker: 1, content: content)))), to: peer)
    }

    /// The header of a part without rows, from the fetcher with the number 2.
    func part(_ ledgers: LedgerRange, run: RunID? = nil, round: RoundNumber) -> PartHeader {
        PartHeader(
            run: run ?? self.run, round: round, worker: 2, number: Int(ledgers.lowerBound), ledgers: ledgers,
            rows: [.init(protocolID: "SEP41", frames: [])], bytes: 0, previousHash: "h\(ledgers.lowerBound - 1)",
            lastHash: "h\(ledgers.upperBound)")
    }

    /// As the fetcher: offers a part.
    func offer(_ header: PartHeader) throws { rows.send(Message(Frame(try Wire.encode(RowsMessage.offer(header))))) }

    /// As the fetcher: sends a part, without being asked where the test did not wait for that.
    func bring(_ header: PartHeader) throws { rows.send(Message(Frame(try Wire.encode(RowsMessage.part(header))))) }

    /// Waits for the next reply to an offer.
    func reply() async throws -> RowsReply {
        for await reply in replies { return reply }
        throw NothingCame()
    }

    /// Waits for a report that fits, and gives all from the last one on to that one, heartbeats left out.
    @discardableResult
    func report(_ fits: (WriterMessage) -> Bool) async throws -> [WriterMessage] {
        var before: [WriterMessage] = []
        for await message in reports {
            if case .heartbeat = message { continue }
            before.append(message)
            if fits(message) { return before }
        }
        throw NothingCame()
    }

    struct NothingCame: Error {}

    /// Ends the writer and what the test plays.
    func end() async {
        program.send(SIGTERM)
        _ = await program.exit()
        for task in receiving { task.cancel() }
        await loop.shutdown()
        try? FileManager.default.removeItem(at: folder)
    }
}
