import Foundation
import TestSupport
import Testing

/// `--config` of the programs, and `config check`.
@Suite(.timeLimit(.minutes(5))) struct ConfigurationTests {
    /// Whoever mistypes a setting is shown the command that was meant, and not the program as a whole.
    @Test(arguments: [
        (["protocol-migrate", "history", "--protocol-id", "SEP41"], "wallet-backend protocol-migrate history"),
        (["protocol-migrate", "plan", "--protocl-id", "SEP41"], "wallet-backend protocol-migrate plan"),
        (["ingest"], "wallet-backend ingest"), (["doctor"], "wallet-backend doctor"),
    ])
    func aUsageErrorShowsTheCommandThatWasMeant(_ arguments: [String], _ command: String) async throws {
        let run = try RunningProgram("wallet-backend", arguments, environment: ["DATABASE_URL": "no address"])
        #expect(await run.exit() == 64)
        #expect(run.lines.contains { $0.hasPrefix("Error: ") } && run.lines.contains { $0.hasPrefix("Usage: \(command) ") }, "\(run.log)")
        #expect(run.lines.contains { $0.contains("'\(command) --help'") }, "\(run.log)")
    }

    /// A file that goes with the body.
    private static func withFile<Value>(_ text: String, mode: Int = 0o600, _ body: (String) async throws -> Value) async throws -> Value {
        let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return try await body(path)
    }

    /// All settings of a migration and its workers from one file, also those that the coordinator hands on.
    @Test func aMigrationRunsFromAFile() async throws {
        try await Stage.with { stage in
            let text = """
                database-url: \(stage.databaseText)
                rpc-url: \(stage.rpcURL)
                network-passphrase: \(Stage.passphrase)
                network: test
                protocol-id: [SEP50, SEP41]
                convergence-wait: 0.2
                rpc-page-size: 3
                log-level: debug
                fetchers: 1
                """
            try await Self.withFile(text, mode: 0o644) { path in
                let run = try RunningProgram("wallet-backend", ["protocol-migrate", "history"], environment: ["CONFIG": path])
                #expect(await run.exit() == 0, "\(run.log)")
                try await stage.expectComplete()
                #expect(run.log.contains("other users may read it") && run.log.contains("process=fetcher"), "\(run.log)")
                #expect(run.lines(containing: "process=fetcher").contains { $0.contains("level=debug") }, "\(run.log)")
                #expect(!run.log.contains(PrivatePostgres.password), "\(run.log)")
            }
        }
    }

    @Test(arguments: [
        ("wallet-backend", ["protocol-migrate", "history"]), ("wallet-backend", ["protocol-migrate", "status"]),
        ("wallet-backend", ["protocol-migrate", "plan"]), ("wallet-backend", ["doctor"]), ("wallet-backend", ["ingest"]),
        ("wallet-backend", ["migrate", "up"]), ("wallet-backend-fetcher", []), ("wallet-backend-writer", []),
    ])
    func everyProgramRefusesAnUnknownKey(program: String, arguments: [String]) async throws {
        try await Self.withFile("database-url: host=/nowhere\nbach-size: 5\nrpc-page-siz: 5\n") { path in
            let run = try RunningProgram(program, arguments + ["--config", path])
            #expect(await run.exit() == 64, "\(run.log)")
            #expect(run.log.contains("\(path):2: \"bach-size\" is no setting; is batch-size meant?"), "\(run.log)")
            #expect(run.log.contains("is rpc-page-size meant?"), "\(run.log)")
        }
    }

    @Test func checkShowsValuesAndOriginsAndNoSecrets() async throws {
        let text = """
            database-url: postgresql://wallet:never-to-be-shown@db.internal/wallet
            rpc-url: https://user:never-to-be-shown@rpc.example.org/never-to-be-shown
            network: no
            batch-size: 5
            fetchers: 7
            """
        try await Self.withFile(text) { path in
            let run = try RunningProgram(
                "wallet-backend", ["config", "check", "--config", path, "--fetchers", "3", "--json"], environment: ["BATCH_SIZE": "6"])
            #expect(await run.exit() == 0, "\(run.log)")
            let settings = try Answer(run).objects("settings")
            func found(_ name: String) -> [String?]? {
                settings.first { $0["name"] as? String == name }.map { [$0["value"] as? String, $0["from"] as? String] }
            }
            #expect(found("database-url") == ["postgresql://wallet:***@db.internal/wallet", "\(path):1"])
            #expect(found("rpc-url") == ["https://rpc.example.org:443", "\(path):2"])
            #expect(found("network") == ["no", "\(path):3"])
            #expect(found("batch-size") == ["6", "environment BATCH_SIZE"])
            #expect(found("fetchers") == ["3", "flag"])
            #expect(found("convergence-wait") == ["5", "default"])
            #expect(found("start-ledger") == [nil, nil])
            #expect(!run.log.contains("never-to-be-shown"))
            let shown = try RunningProgram("wallet-backend", ["config", "check"], environment: ["CONFIG": path])
            #expect(await shown.exit() == 0, "\(shown.log)")
            #expect(shown.log.contains("https://rpc.example.org:443") && !shown.log.contains("never-to-be-shown"), "\(shown.log)")
        }
    }

    @Test func checkNamesAllThatIsWrong() async throws {
        try await Self.withFile("batch-size: 0\nlog-level: loud\ndatabase-url: postgresql://u:never-to-be-shown@h:x/\n") { path in
            let run = try RunningProgram("wallet-backend", ["config", "check", "--config", path, "--json"])
            #expect(await run.exit() == 1, "\(run.log)")
            let problems = try Answer(run).texts("problems")
            #expect(problems.count == 3 && problems.contains { $0.hasPrefix("\(path):2: --log-level: \"loud\" is none of") }, "\(problems)")
            #expect(!run.log.contains("never-to-be-shown"), "\(run.log)")
        }
        let unknown = try RunningProgram("wallet-backend", ["config", "check", "--config", "/nowhere", "--colour", "red"])
        #expect(await unknown.exit() == 64, "\(unknown.log)")
        #expect(unknown.log.contains("/nowhere: cannot be read") && unknown.log.contains("--colour is no setting"), "\(unknown.log)")
    }

    /// Whoever adds a flag adds it here too: a file may hold it, and `config check` shows it.
    @Test func everyFlagWithAValueIsAKnownSetting() async throws {
        struct Dump: Decodable {
            struct Command: Decodable {
                struct Name: Decodable { let name: String }
                struct Argument: Decodable {
                    let kind: String
                    let shouldDisplay: Bool
                    let preferredName: Name?
                }
                let arguments: [Argument]?
                let subcommands: [Command]?
                var flags: [String] {
                    (arguments ?? []).filter { $0.kind == "option" && $0.shouldDisplay }.compactMap { $0.preferredName?.name }
                        + (subcommands ?? []).flatMap(\.flags)
                }
            }
            let command: Command
        }
        var flags: Set<String> = ["datastore-unsigned"]
        for program in ["wallet-backend", "wallet-backend-fetcher", "wallet-backend-writer"] {
            let help = try RunningProgram(program, ["--experimental-dump-help"])
            #expect(await help.exit() == 0, "\(help.log)")
            flags.formUnion(try JSONDecoder().decode(Dump.self, from: Data(help.log.utf8)).command.flags)
        }
        flags.remove("config")
        let check = try RunningProgram("wallet-backend", ["config", "check", "--json"])
        #expect(await check.exit() == 0, "\(check.log)")
        #expect(Set(try Answer(check).objects("settings").compactMap { $0["name"] as? String }) == flags)
        // Each of them may stand in a file.
        try await Self.withFile(flags.sorted().map { "\($0):\n" }.joined()) { path in
            let all = try RunningProgram("wallet-backend", ["config", "check", "--config", path])
            #expect(await all.exit() == 0, "\(all.log)")
        }
    }
}
