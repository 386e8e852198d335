import Foundation
import PostgreSQL
import TestSupport
import Testing

/// One random story of a migration beside live ingestion: paces, batch sizes, latencies and deployments are drawn from a seed; processes and
/// sessions are killed on the way, or stand still for a while, and in some stories the server crashes. However it goes, the rows must be those of
/// the ledgers.
struct Interleaving: Sendable {
    let seed: UInt64
    let fixture: Fixture
    /// Two migrations of the same protocols are started against each other, again and again.
    let hasRival: Bool

    /// How long a story may take: many times what it needs.
    private static let patience = Duration.seconds(240)

    /// What was done to whom, for the report of a story that went wrong.
    private actor Diary {
        var lines: [String] = []
        var programs: [RunningProgram] = []
        func note(_ line: String) { lines.append(line) }
        func watch(_ program: RunningProgram) { programs.append(program) }
        var text: String { (lines + programs.flatMap { ["--- pid \($0.pid)"] + $0.lines.suffix(60) }).joined(separator: "\n") }
    }

    /// Tells the story, and says in one line how it went.
    func run() async throws -> String {
        var random = SeededRandom(seed: seed)
        let closed = Int.random(in: 5...60, using: &random)
        let latest = 1000 + UInt32(Int.random(in: 0..<closed, using: &random))
        var arguments = [
            "--first", "1000", "--count", "\(closed)", "--close-every", "\(Double(Int.random(in: 20...150, using: &random)) / 1000)",
            "--latency",
            "\(Int.random(in: 0...25, using: &random))",
        ]
        if Int.random(in: 0..<3, using: &random) == 0 {
            arguments += ["--faults", "503,429,-32603,empty-page,cut-body,drop,wrong-hash,broken-chain", "--fail-every", "5"]
        }
        let (live, migration) = (SeededRandom(seed: random.next()), SeededRandom(seed: random.next()))
        let diary = Diary()
        await diary.note("closed=\(closed) latest=\(latest) \(arguments.dropFirst(4).joined(separator: " "))")
        let began = ContinuousClock.now
        let ownServer = Int.random(in: 0..<4, using: &random) == 0 ? try await PrivatePostgres.start() : nil
        let crashes = ownServer.map { Crashes(server: $0, seed: random.next()) }
        try await Stage.with(fixture, server: ownServer, simulatorArguments: arguments) { stage in
            let deployments = try await prepare(stage, latest: latest)
            let outcome = await withTaskGroup(of: (any Error)?.self) { group in
                group.addTask {
                    do {
                        try await tell(stage, live, migration, crashes, diary)
                        return nil
                    } catch { return error }
                }
                group.addTask {
                    try? await Task.sleep(for: Self.patience)
                    return Task.isCancelled ? nil : TookTooLong()
                }
                // When the time is up, everything is cancelled, and with it the programs that are waited for.
                let first = await group.next() ?? nil
                group.cancelAll()
                return first
            }
            await diary.note("deployments=\(deployments)")
            let issues = try await faults(ownServer == nil ? stage : stage.reconnected())
            if outcome != nil || !issues.isEmpty {
                Issue.record("seed \(seed): \(outcome.map { "\($0)" } ?? "") \(issues)\n\(await diary.text)")
            }
        }
        let seconds = Int((ContinuousClock.now - began) / .seconds(1))
        return "interleaving seed=\(seed) \(seconds) s: \(await diary.lines.joined(separator: ", "))"
    }

    struct TookTooLong: Error {}
    struct EndedByItself: Error { let what: String }

    /// The contracts that are deployed later come into the database with the ledger that deploys them, as live ingestion's classification would
    /// have it: in the transaction of that ledger.
    /// - Returns: how many.
    private func prepare(_ stage: Stage, latest: UInt32) async throws -> Int {
        try await stage.connection.execute(
            """
            UPDATE ingest_store SET value = '\(latest)' WHERE key = 'latest_ingest_ledger';
            CREATE TABLE deployments(ledger text, contract bytea, wasm bytea);
            CREATE FUNCTION classify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO protocol_contracts(contract_id, wasm_hash)
                    SELECT contract, wasm FROM deployments WHERE ledger = NEW.value ON CONFLICT DO NOTHING;
                RETURN NEW;
            END $$;
            CREATE TRIGGER classify AFTER UPDATE ON ingest_store FOR EACH ROW WHEN (NEW.key = 'latest_ingest_ledger') EXECUTE FUNCTION classify();
            """)
        var deployments = 0
        for contract in stage.fixture.contracts.values.joined() {
            guard let first = stage.fixture.firstLedger(of: contract), first > Int(latest) else { continue }
            try await stage.connection.execute(
                """
                INSERT INTO deployments SELECT '\(first)', contract_id, wasm_hash FROM protocol_contracts WHERE contract_id = '\\x\(contract)';
                DELETE FROM protocol_contracts WHERE contract_id = '\\x\(contract)'
                """)
            deployments += 1
        }
        return deployments
    }

    /// Crashes of a server of the story's own.
    private struct Crashes: Sendable {
        let server: PrivatePostgres
        let seed: UInt64
    }

    private func tell(
        _ stage: Stage, _ live: SeededRandom, _ migration: SeededRandom, _ crashes: Crashes?, _ diary: Diary
    ) async throws {
        // Live ingestion must be there after the last crash: what a crash takes with it is only brought back by whoever comes after.
        let (crashesToCome, crashesDone) = AsyncStream<Never>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { crashesDone.finish() }
                if let crashes { try await crash(crashes, diary) }
            }
            group.addTask { try await ingest(stage, live, asTheGoToolMayDo: crashes == nil, after: crashesToCome, diary) }
            var migration = migration
            let rival = SeededRandom(seed: migration.next())
            group.addTask { [migration] in try await migrate(stage, migration, diary) }
            if hasRival { group.addTask { try await migrate(stage, rival, diary) } }
            while try await group.next() != nil {}
        }
    }

    private func crash(_ crashes: Crashes, _ diary: Diary) async throws {
        var random = SeededRandom(seed: crashes.seed)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            try await pause(200...4_000, &random)
            await diary.note("the server crashes")
            try await crashes.server.stop(.immediate)
            try await pause(0...2_000, &random)
            try await crashes.server.start()
        }
    }

    /// Waits for an SQL condition, however often the server crashes.
    private func until(_ condition: String, _ stage: Stage) async throws {
        while true {
            do {
                let connection = try await PostgresConnection.connect(stage.database, applicationName: "tests")
                try await connection.waitUntil(condition)
                return await connection.close()
            } catch let error as PostgresError where error.isConnectionGone {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    // MARK: live ingestion

    /// Live ingestion to the last ledger, ours or one that behaves as the Go tool; killed and started again some times. It ends when there is nothing
    /// more to ingest: a migration that is late then converges.
    private func ingest(
        _ stage: Stage, _ random: SeededRandom, asTheGoToolMayDo: Bool, after crashes: AsyncStream<Never>, _ diary: Diary
    ) async throws {
        var random = random
        if Int.random(in: 0..<3, using: &random) == 0, asTheGoToolMayDo { return try await ingestAsTheGoToolDoes(stage, random, diary) }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let program = try await startIngestion(stage, diary)
            try await pause(50...1500, &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                await diary.note("live ingestion's session killed")
                try await terminate("wallet-backend ingest%", stage)
                try await pause(50...800, &random)
            case 1:
                try await standStill("live ingestion", program.pid, &random, diary)
            default:
                break
            }
            let signal = Bool.random(using: &random) ? SIGKILL : SIGTERM
            await diary.note("live ingestion gets \(signal == SIGKILL ? "SIGKILL" : "SIGTERM")")
            program.send(signal)
            let status = await program.exit()
            // One that was just started may not listen to signals yet.
            guard status == 128 + signal || status == 0 && signal == SIGTERM else {
                throw EndedByItself(what: "live ingestion with status \(status)")
            }
            try await pause(0...600, &random)
        }
        let last = try await startIngestion(stage, diary)
        for await _ in crashes {}
        try await until(
            "EXISTS (SELECT FROM ingest_store WHERE key = 'latest_ingest_ledger' AND value = '\(stage.fixture.ledgers.upperBound)')", stage)
        _ = await last.line(containing: "resuming after")
        last.send(SIGTERM)
        let status = await last.exit()
        guard status == 0 else { throw EndedByItself(what: "live ingestion, told to end, with status \(status)") }
        await diary.note("live ingestion is at the end")
    }

    private func ingestAsTheGoToolDoes(_ stage: Stage, _ random: SeededRandom, _ diary: Diary) async throws {
        var random = random
        let looks = UInt32.random(in: 2...30, using: &random)
        let pace = Int.random(in: 15...100, using: &random)
        await diary.note("live ingestion looks for cursors every \(looks) ledgers")
        while true {
            let live = try await GoLiveIngestion(stage, ledgersBetweenLooks: looks)
            var left = Int.random(in: 1...60, using: &random)
            while left > 0, await live.latest < stage.fixture.ledgers.upperBound {
                left -= 1
                try await pause(0...(2 * pace), &random)
                try await live.ingest()
            }
            let latest = await live.latest
            await live.end()
            if latest == stage.fixture.ledgers.upperBound { break }
            await diary.note("live ingestion ends at \(latest)")
            try await pause(0...600, &random)
        }
        await diary.note("live ingestion is at the end")
    }

    private func startIngestion(_ stage: Stage, _ diary: Diary) async throws -> RunningProgram {
        // A session whose process was killed may linger for a moment with its lock.
        try await until(
            "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'wallet-backend ingest%')",
            stage)
        let program = try stage.ingestion()
        await diary.watch(program)
        return program
    }

    // MARK: the migration

    /// Migrates until a run is a success, and in some stories once more from the start; every run but the last is disturbed.
    private func migrate(_ stage: Stage, _ random: SeededRandom, _ diary: Diary) async throws {
        var random = random
        try await pause(0...1500, &random)
        try await migrate(stage, [], &random, diary)
        guard Int.random(in: 0..<3, using: &random) == 0 else { return }
        try await pause(0...1500, &random)
        await diary.note("rebuild")
        try await migrate(stage, ["--rebuild", "--yes"], &random, diary)
    }

    private func migrate(_ stage: Stage, _ arguments: [String], _ random: inout SeededRandom, _ diary: Diary) async throws {
        var disturbances = Int.random(in: 0...4, using: &random)
        while true {
            let run = try stage.migration(
                arguments + [
                    "--batch-size", "\(Int.random(in: 1...30, using: &random))", "--fetchers", "\(Int.random(in: 1...3, using: &random))",
                    "--convergence-wait", [0, 0, 0, 0.1, 0.3, 1].randomElement(using: &random).map { "\($0)" } ?? "0",
                ])
            await diary.watch(run)
            var stopped = false
            while disturbances > 0 {
                disturbances -= 1
                try await pause(20...1200, &random)
                stopped = try await disturb(run, stage, &random, diary)
                if stopped { break }
            }
            let status = await run.exit()
            if status == 0 {
                let words = run.lines.filter { $0.contains("msg=\"result\"") || $0.contains("msg=result") }
                await diary.note(words.contains { $0.contains("HANDOFF") } ? "HANDOFF" : words.isEmpty ? "nothing to do" : "CONVERGED")
                return
            }
            // The other one has the locks, or has taken them when the session of this one was lost.
            let isOutrun = hasRival && status == 1 && run.log.contains("is held by")
            guard stopped || isOutrun else { throw EndedByItself(what: "a migration, undisturbed, with status \(status)") }
            if hasRival {
                await diary.note(isOutrun ? "a migration was refused: the other one has the locks" : "a migration was stopped")
                try await pause(100...1_000, &random)
                continue
            }
            try await until(
                """
                NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'wallet-backend migration%')
                """, stage)
        }
    }

    /// - Returns: whether that ends the run.
    private func disturb(
        _ run: RunningProgram, _ stage: Stage, _ random: inout SeededRandom, _ diary: Diary
    ) async throws -> Bool {
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
            await diary.note("coordinator gets SIGKILL")
            run.send(SIGKILL)
            return true
        case 1:
            await diary.note("coordinator gets SIGTERM")
            run.send(SIGTERM)
            return true
        case 2:
            await diary.note("coordinator's session killed")
            try await terminate("wallet-backend migration%", stage)
        case 3:
            await diary.note("writer's session killed")
            try await terminate("wallet-backend writer%", stage)
        case 4:
            try await standStill("the coordinator", run.pid, &random, diary)
        case 5:
            try await standStill("the RPC", stage.simulator.pid, &random, diary)
        case 6:
            guard let pid = worker(of: run, &random) else { return false }
            try await standStill("a worker", pid, &random, diary)
        default:
            guard let pid = worker(of: run, &random) else { return false }
            await diary.note("a worker gets SIGKILL")
            kill(pid, SIGKILL)
        }
        return false
    }

    /// One of the workers that the run has started; nil where it has ended already.
    private func worker(of run: RunningProgram, _ random: inout SeededRandom) -> Int32? {
        let workers = run.lines.filter { $0.contains("worker started") }.compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("worker_pid=") }.flatMap { Int32($0.dropFirst(11)) }
        }
        return workers.randomElement(using: &random).flatMap { kill($0, 0) == 0 ? $0 : nil }
    }

    /// Mostly for a moment, now and then for so long that the others give it up.
    private func standStill(_ what: String, _ pid: Int32, _ random: inout SeededRandom, _ diary: Diary) async throws {
        await diary.note("\(what) stands still")
        kill(pid, SIGSTOP)
        defer { kill(pid, SIGCONT) }
        try await pause(Int.random(in: 0..<5, using: &random) == 0 ? 9_000...12_000 : 20...1_500, &random)
    }

    private func terminate(_ name: String, _ stage: Stage) async throws {
        try await until(
            """
            (SELECT count(pg_terminate_backend(pid)) >= 0 FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE '\(name)')
            """, stage)
    }

    private func pause(_ milliseconds: ClosedRange<Int>, _ random: inout SeededRandom) async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: milliseconds, using: &random)))
    }

    private func faults(_ stage: Stage) async throws -> [String] {
        var faults: [String] = []
        let (found, expected) = (try await stage.rows(), stage.fixture.expected)
        let missing = Set(expected).subtracting(found).sorted()
        let extra = Set(found).subtracting(expected).sorted()
        if found.count != expected.count { faults.append("\(found.count) rows instead of \(expected.count)") }
        if !missing.isEmpty { faults.append("missing: ledgers \(Set(missing.map(\.ledger)).sorted()), \(missing[0])") }
        if !extra.isEmpty { faults.append("unexpected: ledgers \(Set(extra.map(\.ledger)).sorted()), \(extra[0])") }
        for id in stage.fixture.contracts.keys.sorted() {
            let (cursor, status) = (try await stage.cursor(id), try await stage.status(id))
            if cursor != "\(stage.fixture.ledgers.upperBound)" { faults.append("cursor of \(id) at \(cursor ?? "none")") }
            if status != "success" { faults.append("status of \(id): \(status ?? "none")") }
        }
        return faults
    }
}
