import Foundation
import Pipeline
import PostgreSQL
import StateChanges
import TestSupport
import Testing
import ZeroMQ

/// Whoever knows the coordinator's endpoint can say what he likes: the run goes on, and nobody comes to harm.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HostilePeerTests {
    /// A peer that speaks the protocol, or something like it, by hand.
    private final class Peer: Sendable {
        private let loop: SocketLoop
        private let socket: DealerSocket
        private let replies: AsyncStream<Envelope<CoordinatorContent>>
        private let receiving: Task<Void, Never>

        init(_ endpoint: String) async throws {
            loop = try SocketLoop(name: "peer")
            socket = try await loop.connectDealer(endpoint)
            let (replies, received) = AsyncStream<Envelope<CoordinatorContent>>.makeStream()
            self.replies = replies
            receiving = Task { [socket] in
                do {
                    for try await message in socket.messages {
                        guard let frame = message.frames.first else { continue }
                        received.yield(try Wire.decode(Envelope<CoordinatorContent>.self, from: frame.copyBytes()))
                    }
                } catch {
                    received.finish()
                }
            }
        }

        func send(_ bytes: [UInt8]) { socket.send(Message(Frame(bytes))) }

        func send(_ content: WorkerContent, run: RunID = RunID(rawValue: ""), worker: WorkerID = 0) throws {
            send(try Wire.encode(Envelope(run: run, worker: worker, content: content)))
        }

        /// Registers, and gives the run and the number that the coordinator replies with.
        func register(_ role: WorkerRole, instance: String = UUID().uuidString, pid: Int32 = 1) async throws -> (
            run: RunID, worker: WorkerID
        ) {
            let host = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8).filter { !$0.isNewline }
            try send(.hello(Hello(role: role, instance: instance, token: nil, pid: pid, host: host, rowsEndpoint: nil)))
            let reply = try #require(await reply { if case .welcome = $0.content { true } else { false } })
            return (reply.run, reply.worker)
        }

        /// The next reply that fits; nil where none comes within a minute.
        func reply(_ fits: @escaping @Sendable (Envelope<CoordinatorContent>) -> Bool) async -> Envelope<CoordinatorContent>? {
            await withTaskGroup(of: Envelope<CoordinatorContent>?.self) { [replies] group in
                group.addTask {
                    for await reply in replies where fits(reply) { return reply }
                    return nil
                }
                group.addTask {
                    try? await Task.sleep(for: .seconds(60))
                    return nil
                }
                defer { group.cancelAll() }
                return await group.next() ?? nil
            }
        }

        func close() async {
            receiving.cancel()
            await loop.shutdown()
        }
    }

    /// A managed run that is held in its midst, at a known endpoint.
    private static func withHeldRun(_ body: (Stage, RunningProgram, String) async throws -> Void) async throws {
        try await Stage.with(simulatorArguments: Stage.holding) { stage in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("peers-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(at: folder) }
            let endpoint = "ipc://\(folder.path)/c"
            let run = try stage.migration(["--batch-size", "1", "--fetchers", "1", "--endpoint", endpoint, "--log-level", "debug"])
            try await stage.untilHeld(run)
            try await body(stage, run, endpoint)
            try await stage.release()
            #expect(await run.exit() == 0, "\(run.log)")
            try await stage.expectComplete()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [], "nothing is left beside a given endpoint")
        }
    }

    @Test func nobodyIsKilledForTheProcessIDThatAPeerClaims() async throws {
        try await Self.withHeldRun { _, run, endpoint in
            let bystander = try RunningProgram(executable: URL(fileURLWithPath: "/bin/sleep"), ["600"])
            let peer = try await Peer(endpoint)
            let (_, worker) = try await peer.register(.fetcher, pid: bystander.pid)
            // It stays silent until it is given up.
            _ = try #require(
                await run.line { $0.contains("worker lost") && $0.contains("nothing was heard of it") && $0.contains("worker=\(worker)") },
                "\(run.log)")
            #expect(kill(bystander.pid, 0) == 0)
            bystander.send(SIGKILL)
            _ = await bystander.exit()
            await peer.close()
        }
    }

    @Test func numbersFromOutsideAreClampedOrRefused() async throws {
        try await Self.withHeldRun { _, run, endpoint in
            let peer = try await Peer(endpoint)
            let (id, worker) = try await peer.register(.fetcher)
            for number in [-5, Int.max, Int.min, 0] {
                var counters = FetcherCounters()
                counters.ledgers = number
                counters.responseBytes = number
                counters.retries = ["timeout": number, "no such cause \(number)": number]
                counters.cores = number
                counters.requestsInFlight = number
                counters.ignoredEvents = number
                counters.fetchSeconds = number < 0 ? -.infinity : .greatestFiniteMagnitude
                try? peer.send(.fetcher(.heartbeat(holding: [number], counters: counters)), run: id, worker: worker)
                counters.fetchSeconds = 0
                try peer.send(.fetcher(.heartbeat(holding: [number], counters: counters)), run: id, worker: worker)
                try peer.send(.fetcher(.ready(round: number, batches: number)), run: id, worker: worker)
                try peer.send(.fetcher(.failed(round: 1, batch: number, reason: "", permanent: true)), run: id, worker: worker)
            }
            try peer.send(.goodbye, run: id, worker: worker)
            _ = try #require(await run.line { $0.contains("worker lost") && $0.contains("worker=\(worker)") }, "\(run.log)")
            await peer.close()
        }
    }

    @Test func aMessageOfTheOtherRoleIsRefusedAndLogged() async throws {
        try await Self.withHeldRun { stage, run, endpoint in
            let peer = try await Peer(endpoint)
            let (id, worker) = try await peer.register(.fetcher)
            let report = CommitReport(ledgers: 1010...1019, swaps: ["SEP41": .swapped, "SEP50": .swapped], rows: [:], bytes: 0, seconds: 0)
            for message in [WriterMessage.ready, .committed(round: 1, report: report), .interrupted(round: 1, reason: "", permanent: true)]
            {
                try peer.send(.writer(message), run: id, worker: worker)
            }
            _ = try #require(await run.line { $0.contains("message refused") && $0.contains("worker=\(worker)") }, "\(run.log)")
            #expect(try await stage.cursor("SEP41") == "1009")
            await peer.close()
        }
    }

    @Test func asSecondHelloOnOneConnectionStrandsNothing() async throws {
        try await Self.withHeldRun { _, run, endpoint in
            let peer = try await Peer(endpoint)
            let (id, first) = try await peer.register(.fetcher, instance: "one")
            // It is leased ledgers, and registers again as if nothing had been.
            try peer.send(.fetcher(.ready(round: 1, batches: 50)), run: id, worker: first)
            let second = try await peer.register(.fetcher, instance: "one").worker
            #expect(second != first)
            _ = try #require(await run.line { $0.contains("worker lost") && $0.contains("worker=\(first)") }, "\(run.log)")
            try peer.send(.goodbye, run: id, worker: second)
            await peer.close()
        }
    }

    @Test func whatIsNoMessageClosesThatPeerOnly() async throws {
        try await Self.withHeldRun { _, run, endpoint in
            let peer = try await Peer(endpoint)
            peer.send(Array("{\"nonsense\":".utf8))
            peer.send([])
            peer.send([0xFF, 0x00, 0xFE])
            _ = try #require(await peer.reply { $0.content == .registerAgain })
            peer.send([UInt8](repeating: 0x20, count: 4 << 20))
            // The connection of an oversized frame is closed; another one is as good as ever.
            let other = try await Peer(endpoint)
            let (id, worker) = try await other.register(.fetcher)
            try other.send(.goodbye, run: id, worker: worker)
            await other.close()
            await peer.close()
        }
    }

    // MARK: two writers

    @Test func aSecondWriterWaitsUntilTheFirstIsGone() async throws {
        try await Self.withHeldRun { stage, run, endpoint in
            let second = try RunningProgram(
                "wallet-backend-writer", ["--endpoint", endpoint], environment: ["DATABASE_URL": stage.databaseText])
            _ = try #require(await run.line(containing: "another writer is at work"), "\(run.log)")
            // It touches nothing: no lock, no session.
            let writers = try await stage.connection.query(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'wallet-backend writer%'"
            )
            #expect(writers.first?[0] == "1")
            let line = try #require(run.lines.first { $0.contains("worker started") && $0.contains("role=writer") })
            let first = try #require(line.split(separator: " ").first { $0.hasPrefix("worker_pid=") }.flatMap { Int32($0.dropFirst(11)) })
            kill(first, SIGKILL)
            // One of the two, the second or the first that is started again, goes on; the other one waits.
            _ = try #require(await run.line(from: run.lines.count) { $0.contains("writer is ready") }, "\(run.log)")
            #expect(kill(second.pid, 0) == 0, "\(second.log)")
        }
        // The second one was no child of the run: it ends because it is told to.
    }

    // MARK: another network

    /// A fetcher whose source serves another network takes no part, whatever rows it could deliver.
    @Test func aFetcherOfAnotherNetworkTakesNoPart() async throws {
        try await Fixture.withMade(seed: 31, count: 20, events: 4) { foreign in
            try await Stage.with { stage in
                let folder = FileManager.default.temporaryDirectory.appendingPathComponent("network-\(UUID().uuidString.prefix(8))")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
                defer { try? FileManager.default.removeItem(at: folder) }
                let endpoint = "ipc://\(folder.path)/c"
                let elsewhere = try RunningProgram(
                    "ledger-simulator",
                    ["serve", "--port", "0", "--ledgers", foreign.folder.path, "--network-passphrase", "Another Network ; 2026"])
                let line = try #require(await elsewhere.line(containing: "listening on "), "\(elsewhere.log)")
                let run = try stage.migration(["--fetchers", "0", "--endpoint", endpoint])
                let writer = try RunningProgram(
                    "wallet-backend-writer", ["--endpoint", endpoint], environment: ["DATABASE_URL": stage.databaseText])
                let wrong = try RunningProgram(
                    "wallet-backend-fetcher", ["--endpoint", endpoint, "--rpc-url", String(line.split(separator: " ").last ?? "")])
                #expect(await wrong.exit() == 1, "\(wrong.log)")
                #expect(wrong.log.contains("Another Network") && wrong.log.contains("Standalone"), "\(wrong.log)")
                _ = try #require(await run.line(containing: "fetcher takes no part"), "\(run.log)")
                try await stage.expectRows([])
                #expect(try await stage.cursor("SEP41") == "999")
                let right = try RunningProgram("wallet-backend-fetcher", ["--endpoint", endpoint, "--rpc-url", stage.rpcURL])
                #expect(await run.exit() == 0, "\(run.log)")
                for program in [writer, right] { #expect(await program.exit() == 0, "\(program.log)") }
                elsewhere.send(SIGKILL)
                try await stage.expectComplete()
            }
        }
    }
}
