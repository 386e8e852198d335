import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PostgreSQL
import TestSupport
import Testing

/// The process group under the real supervisord, with the configuration that the project ships.
@Suite(
    .serialized, .enabled(if: Supervisord.isInstalled, "no supervisord or supervisorctl on PATH: apt-get install supervisor"),
    .timeLimit(.minutes(10)))
struct SupervisordTests {
    /// Each kind of process is killed and comes back, fetchers are scaled 1 -> 4 -> 2 in mid-run, and the rows are those of an undisturbed run.
    @Test func theGroupSurvivesKillsAndIsScaledInMidRun() async throws {
        try await Fixture.withMade(seed: 41, count: 600, events: 3) { fixture in
            try await Stage.with(fixture, simulatorArguments: ["--hold-from", "1100"]) { stage in
                try await Supervisord.with(stage, ["FETCHERS": "1", "SPARE_FETCHERS": "3"]) { group in
                    for name in ["coordinator", "writer", "fetcher:fetcher_00"] { try await group.untilRunning(name) }
                    for name in ["fetcher:fetcher_01", "fetcher:fetcher_02", "fetcher:fetcher_03"] {
                        #expect(try await group.state(name) == "STOPPED")
                    }
                    try await group.untilProgress(beyond: 1000)

                    for name in ["fetcher:fetcher_00", "writer", "coordinator"] {
                        let killed = try await group.pid(name)
                        kill(killed, SIGKILL)
                        try await group.untilRunning(name, otherThan: killed)
                        for worker in ["writer", "fetcher:fetcher_00"] { try await group.untilRegistered(worker) }
                    }
                    try await stage.hold(from: 1200)
                    try await group.untilProgress(beyond: 1110)

                    try await group.control("start", "fetcher:fetcher_01", "fetcher:fetcher_02", "fetcher:fetcher_03")
                    for number in 0..<4 { try await group.untilAtWork("fetcher:fetcher_0\(number)") }
                    try await stage.hold(from: 1400)
                    try await group.untilProgress(beyond: 1210)

                    try await group.control("stop", "fetcher:fetcher_02", "fetcher:fetcher_03")
                    for number in 0..<4 {
                        #expect(try await group.state("fetcher:fetcher_0\(number)") == (number < 2 ? "RUNNING" : "STOPPED"))
                    }
                    #expect(try await group.state("coordinator") == "RUNNING", "all of this was in mid-run")
                    try await stage.release()

                    // The workers come back for the next coordinator, the coordinator does not.
                    try await group.untilLine("exited: coordinator (exit status 0; expected)")
                    let end = group.program.lines.count
                    for name in ["writer", "fetcher_00", "fetcher_01"] { try await group.untilLine("success: \(name) entered", from: end) }
                    #expect(try await group.state("coordinator") == "EXITED")
                    #expect(try await group.state("fetcher:fetcher_02") == "STOPPED")
                    try await stage.expectComplete()
                    #expect(!group.logs.contains(PrivatePostgres.password))
                }
            }
        }
    }

    /// A failure is tried again, wrong usage is not: it would fail for ever.
    @Test func aCoordinatorIsStartedAgainWhereThatMayHelp() async throws {
        try await Stage.with { stage in
            try await stage.connection.query("UPDATE protocols SET classification_status = 'in_progress' WHERE id = 'SEP41'")
            try await Supervisord.with(stage, ["FETCHERS": "1", "SPARE_FETCHERS": "1"]) { group in
                try await group.untilLine("exited: coordinator (exit status 1; not expected)")
                try await stage.connection.query("UPDATE protocols SET classification_status = 'success' WHERE id = 'SEP41'")
                try await group.untilLine("exited: coordinator (exit status 0; expected)")
                try await stage.expectComplete()
            }
            try await Supervisord.with(stage, ["FETCHERS": "1", "SPARE_FETCHERS": "1", "BATCH_SIZE": "none"]) { group in
                try await group.untilLine("exited: coordinator (exit status 64; expected)")
                #expect(try await group.state("coordinator") == "EXITED")
            }
        }
    }
}

extension Stage {
    /// Lets the simulator serve everything before this ledger, and keeps back the rest.
    fileprivate func hold(from ledger: Int) async throws {
        var request = HTTPClientRequest(url: "\(rpcURL)/hold?from=\(ledger)")
        request.method = .POST
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        #expect(response.status == .noContent)
    }
}

/// A process group under supervisord.
private struct Supervisord {
    let program: RunningProgram
    private let folder: String
    private let variables: [String: String]
    private let stage: Stage

    private static let configuration = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("compose/supervisord.conf").path

    private static func executable(_ name: String) -> URL? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }.map { URL(fileURLWithPath: $0) }
    }

    static var isInstalled: Bool { executable("supervisord") != nil && executable("supervisorctl") != nil }

    /// Starts a group for a stage, ends it as an operator does, and expects that nothing of it is left.
    static func with(_ stage: Stage, _ settings: [String: String], _ body: (Supervisord) async throws -> Void) async throws {
        // The path of a socket has at most 107 bytes.
        let temporary = FileManager.default.temporaryDirectory.path
        let folder = "\(temporary.utf8.count > 40 ? "/tmp" : temporary)/supervised-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let variables = [
            "PATH": "\(RunningProgram.folder.path):\(path)", "RUN_FOLDER": folder, "DATABASE_URL": stage.databaseText,
            "RPC_URL": stage.rpcURL,
            "NETWORK_PASSPHRASE": Stage.passphrase, "NETWORK": "test", "PROTOCOL_ID": "SEP50,SEP41", "BATCH_SIZE": "10",
            "CONVERGENCE_WAIT": "0.2", "LOG_LEVEL": "debug",
        ].merging(settings) { $1 }
        let program = try RunningProgram(
            executable: try #require(executable("supervisord")), ["--nodaemon", "--configuration", configuration], environment: variables)
        let group = Supervisord(program: program, folder: folder, variables: variables, stage: stage)
        do {
            try await until(.seconds(60), "supervisord to listen") {
                try #require(kill(program.pid, 0) == 0, "\(program.log)")
                return FileManager.default.fileExists(atPath: "\(folder)/supervisor.sock")
            }
            try await body(group)
            try await group.control("shutdown")
            #expect(await program.exit(within: .seconds(120)) == 0, "\(program.log)")
            #expect(group.processes.isEmpty, "still there: \(group.processes)\n\(program.log)")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
                !$0.hasSuffix(".log") && $0 != "coordinator.started"
            }
            #expect(left.isEmpty, "files were left behind: \(left)")
            // "killing 'writer' (32) with SIGKILL": it did not end in time.
            #expect(program.lines(containing: " with SIGKILL").isEmpty, "\(program.log)")
        } catch {
            await group.endAtOnce()
            Issue.record("the logs of the group:\n\(program.log)\n\(group.logs)")
            throw error
        }
        await group.endAtOnce()
    }

    /// The processes of this group: they alone have its folder in their environment.
    private var processes: [Int32] {
        let mark = Data("RUN_FOLDER=\(folder)\0".utf8)
        let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
        return numbers.filter { pid in
            guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return false }
            return environment.range(of: mark) != nil
        }
    }

    /// Whatever went wrong, nothing of the group outlives the test.
    private func endAtOnce() async {
        try? await until(.seconds(60), "the processes to be gone") {
            let left = processes
            for pid in left { kill(pid, SIGKILL) }
            return left.isEmpty
        }
    }

    /// All that the programs have logged.
    var logs: String {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".log") }.sorted()
        return names.map { "==> \($0)\n" + log($0) }.joined(separator: "\n")
    }

    private func log(_ name: String) -> String { (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "" }

    /// Runs supervisorctl and gives back what it says.
    @discardableResult
    func control(_ arguments: String...) async throws -> [String] { try await control(arguments) }

    private func control(_ arguments: [String]) async throws -> [String] {
        let control = try RunningProgram(
            executable: try #require(Self.executable("supervisorctl")), ["--configuration", Self.configuration] + arguments,
            environment: variables)
        _ = await control.exit(within: .seconds(120))
        return control.lines
    }

    /// RUNNING, STOPPED, EXITED, BACKOFF, FATAL, ...
    func state(_ name: String) async throws -> String? {
        try await control(["status", name]).first.flatMap { $0.split(separator: " ").dropFirst().first.map(String.init) }
    }

    /// The process of a program; 0 where there is none.
    func pid(_ name: String) async throws -> Int32 { try await control(["pid", name]).first.flatMap { Int32($0) } ?? 0 }

    /// Waits until a program runs, in another process than one that was killed.
    func untilRunning(_ name: String, otherThan killed: Int32 = 0) async throws {
        try await until(.seconds(120), "\(name) to run") {
            guard try await state(name) == "RUNNING" else { return false }
            let pid = try await pid(name)
            return pid > 0 && pid != killed
        }
    }

    /// Waits for a line of supervisord's log.
    func untilLine(_ text: String, from: Int = 0) async throws {
        _ = try #require(await program.line(containing: text, from: from), "\(program.log)\n\(logs)")
    }

    /// Waits until the coordinator that runs now has registered the worker that runs now; gives back the worker's number.
    @discardableResult
    func untilRegistered(_ name: String) async throws -> String {
        let worker = try await pid(name)
        var found: String?
        try await until(.seconds(120), "\(name), process \(worker), to be registered") {
            let coordinator = try await pid("coordinator")
            found = lines(of: coordinator).last { $0.contains("worker registered") && $0.hasSuffix(" worker_pid=\(worker)") }
                .flatMap { Self.field("worker", $0) }
            return found != nil
        }
        return found ?? ""
    }

    /// Waits until a fetcher has got batches of the coordinator that runs now.
    func untilAtWork(_ name: String) async throws {
        try await untilRunning(name)
        try await until(.seconds(120), "\(name) to get batches") {
            let number = try await untilRegistered(name)
            let coordinator = try await pid("coordinator")
            return lines(of: coordinator).contains { $0.contains("batches leased") && Self.field("worker", $0) == number }
        }
    }

    /// Waits until both cursors stand behind a ledger.
    func untilProgress(beyond ledger: Int) async throws {
        try await stage.connection.waitUntil(
            "(SELECT count(*) = 2 FROM ingest_store WHERE key LIKE 'protocol%history_cursor' AND value::int > $1::int)", ["\(ledger)"]
        ) {
            try #require(kill(program.pid, 0) == 0, "\(program.log)")
        }
    }

    private func lines(of coordinator: Int32) -> [Substring] {
        log("coordinator.log").split(separator: "\n").filter { $0.contains(" process=coordinator pid=\(coordinator) ") }
    }

    private static func field(_ name: String, _ line: Substring) -> String? {
        line.split(separator: " ").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
