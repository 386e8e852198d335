import ArgumentParser
import Logging
import Operations
import Testing

@Suite struct SettingTests {
    private let batchSize = Setting<Int>(
        "batch-size", variable: "BATCH_SIZE", "Ledgers per batch.", .integer(in: 1...10_000), default: "100")

    @Test func flagWinsOverVariableOverDefault() throws {
        #expect(try batchSize.resolve("7", environment: ["BATCH_SIZE": "8"]) == 7)
        #expect(try batchSize.resolve(nil, environment: ["BATCH_SIZE": "8"]) == 8)
        #expect(try batchSize.resolve(nil, environment: ["BATCH_SIZE": ""]) == 100)
        #expect(try batchSize.resolve(nil, environment: [:]) == 100)
        // What is overridden is not looked at.
        #expect(try batchSize.resolve("7", environment: ["BATCH_SIZE": "junk"]) == 7)
    }

    @Test(arguments: ["", " ", "0", "10001", "-1", "+1", "1 ", " 1", "0x10", "1_000", "1e3", "1.0", "٣", "99999999999999999999999", "abc"])
    func refusesWhatIsNoNumberInRange(text: String) {
        #expect {
            try batchSize.resolve(text, environment: [:])
        } throws: {
            let message = ($0 as? UsageError)?.message ?? ""
            return message.contains("--batch-size") && message.contains("BATCH_SIZE")
                && message.hasSuffix("is not a whole number from 1 to 10000")
        }
        guard !text.isEmpty else { return }
        #expect {
            try batchSize.resolve(nil, environment: ["BATCH_SIZE": text])
        } throws: {
            let message = ($0 as? UsageError)?.message ?? ""
            return message.hasPrefix("environment variable BATCH_SIZE \"") && message.contains("--batch-size")
        }
    }

    @Test(arguments: ["1", "10000", "0100"])
    func takesTheBounds(text: String) throws {
        #expect(try batchSize.resolve(text, environment: [:]) == Int(text))
    }

    @Test func requiredAndOptional() throws {
        let name = Setting<String>("network", variable: "NETWORK", "Name of the network.", .text())
        #expect(try name.resolveIfGiven(nil, environment: [:]) == nil)
        #expect(try name.resolveIfGiven(nil, environment: ["NETWORK": "pubnet"]) == "pubnet")
        #expect(throws: UsageError("--network or the environment variable NETWORK is required: Name of the network.")) {
            try name.resolve(nil, environment: ["NETWORK": ""])
        }
        #expect(throws: UsageError.self) { try name.resolve(" \t", environment: [:]) }
    }

    @Test func seconds() throws {
        let wait = Setting<Duration>("convergence-wait", variable: "CONVERGENCE_WAIT", "Wait.", .seconds(in: 0...3600), default: "5")
        #expect(try wait.resolve(nil, environment: [:]) == .seconds(5))
        #expect(try wait.resolve("0.25", environment: [:]) == .milliseconds(250))
        #expect(try wait.resolve("3600", environment: [:]) == .seconds(3600))
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "inf", "nan", "0x1p3", "3600.1", "1.2.3", "1,5", "5s", " 5"] {
            #expect(throws: UsageError.self, "\(text)") { try wait.resolve(text, environment: [:]) }
        }
    }

    @Test func urls() throws {
        let url = Setting<HTTPURL>("rpc-url", variable: "RPC_URL", "RPC.", .httpURL)
        let resolved = try url.resolve("https://user:secret@rpc.example.com/v1/key?x=1", environment: [:])
        #expect(resolved.text == "https://user:secret@rpc.example.com/v1/key?x=1")
        #expect("\(resolved)" == "https://rpc.example.com:443")
        #expect("\(try url.resolve("http://127.0.0.1:8000", environment: [:]))" == "http://127.0.0.1:8000")
        #expect("\(try url.resolve("http://[::1]:8000/", environment: [:]))" == "http://[::1]:8000")
        for text in [
            "rpc.example.com", "ftp://secret@x", "http://", "http:///path", "http://x:0", "http://x:65536", "http://x y",
            "https://:secret@", "http://x/#f", "http://é",
        ] {
            #expect {
                try url.resolve(text, environment: [:])
            } throws: {
                let message = ($0 as? UsageError)?.message ?? ""
                return message.hasPrefix("--rpc-url") && message.contains("RPC_URL") && !message.contains("secret")
            }
        }
    }

    @Test func secretsAreNotShown() {
        let database = Setting<Int>(
            "database-url", variable: "DATABASE_URL", "DB.",
            SettingFormat(placeholder: "url", isSecret: true) { _ throws(SettingFormat<Int>.Mismatch) in throw .init("is wrong") })
        #expect(throws: UsageError("environment variable DATABASE_URL (--database-url): is wrong")) {
            try database.resolve(nil, environment: ["DATABASE_URL": "postgres://u:secret@h/d"])
        }
    }

    @Test func identifiers() throws {
        #expect(try IdentifierList.parse(["SEP50", "SEP41,SEP50", "A_1"], flag: "protocol-id") == ["SEP50", "SEP41", "A_1"])
        for texts in [[], [""], ["SEP41,"], [",SEP41"], ["sep41"], ["SEP 41"], ["SEP41 "], ["SEP-41"], ["É"]] {
            #expect {
                try IdentifierList.parse(texts, flag: "protocol-id")
            } throws: {
                ($0 as? UsageError)?.message.contains("--protocol-id") == true
            }
        }
    }

    @Test func groups() throws {
        let environment: SettingEnvironment = ["LOG_LEVEL": "debug", "LOG_FORMAT": "json", "METRICS_PORT": "9100"]
        let none = try LoggingOptions.parse([]).resolve(process: "p", environment: [:])
        #expect(none.level == .info && none.format == .logfmt && none.process == "p")
        let both = try LoggingOptions.parse(["--log-level", "error"]).resolve(process: "p", environment: environment)
        #expect(both.level == .error && both.format == .json)
        #expect(try MetricsOptions.parse([]).resolve(environment: [:]) == nil)
        #expect(try MetricsOptions.parse([]).resolve(environment: environment) == 9100)
        #expect(try MetricsOptions.parse(["--metrics-port", "0"]).resolve(environment: environment) == nil)
        #expect(throws: UsageError.self) { try MetricsOptions.parse(["--metrics-port", "65536"]).resolve(environment: [:]) }
        #expect(
            throws: UsageError(
                "environment variable LOG_LEVEL \"loud\" (--log-level): is none of trace, debug, info, notice, warning, error, critical")
        ) {
            try LoggingOptions.parse([]).resolve(process: "p", environment: ["LOG_LEVEL": "loud"])
        }
    }

    // MARK: Through the argument parser

    private struct Command: ParsableCommand {
        static let size = Setting<Int>("batch-size", variable: "BATCH_SIZE", "Ledgers per batch.", .integer(in: 1...10_000), default: "100")
        @Option(name: Command.size.name, help: Command.size.help) var batchSize: String?
        @OptionGroup var logging: LoggingOptions
        @Option(name: .customLong("protocol-id"), parsing: .upToNextOption) var protocolIDs: [String] = []

        func run() throws {
            _ = try UsageError.reported { try Self.size.resolve(batchSize, environment: [:]) }
        }
    }

    @Test func helpShowsVariableAndDefault() {
        // The parser breaks lines where it likes.
        let help = Command.helpMessage(columns: 400)
        #expect(help.contains("--batch-size <n>"))
        #expect(help.contains("Ledgers per batch. [env: BATCH_SIZE] (default: 100)"))
        #expect(help.contains("[env: LOG_LEVEL] (default: info)") && help.contains("[env: LOG_FORMAT]"))
    }

    @Test func usageErrorsExitWith64() throws {
        let command = try #require(
            try Command.parseAsRoot(["--batch-size", "x", "--protocol-id", "A", "B", "--log-level", "info"]) as? Command)
        #expect(command.protocolIDs == ["A", "B"])
        do {
            try command.run()
            Issue.record("no error")
        } catch {
            #expect(Command.exitCode(for: error).rawValue == ExitStatus.usage.rawValue)
            #expect(Command.message(for: error).contains("--batch-size"))
        }
        for arguments in [["--unknown"], ["--batch-size"]] {
            do {
                _ = try Command.parseAsRoot(arguments)
                Issue.record("no error")
            } catch {
                #expect(Command.exitCode(for: error).rawValue == ExitStatus.usage.rawValue)
            }
        }
        #expect(Command.exitCode(for: ExitStatus.terminated.exitCode).rawValue == 143)
    }
}
