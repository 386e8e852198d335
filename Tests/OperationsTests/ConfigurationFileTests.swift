import Foundation
import Operations
import TestSupport
import Testing

/// The third layer of settings, below flags and environment variables.
@Suite struct ConfigurationFileTests {
    private let batchSize = Setting<Int>(
        "batch-size", variable: "BATCH_SIZE", "Ledgers per batch.", .integer(in: 1...10_000), default: "100")
    private let network = Setting<String>("network", variable: "NETWORK", "Name of the network.", .text())

    private func file(_ text: String) throws -> ConfigurationFile { try ConfigurationFile(path: "settings.yaml", text: text) }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try file(text)
            return []
        } catch {
            return (error as? ConfigurationFile.Refusal)?.problems ?? ["\(error)"]
        }
    }

    @Test func flagWinsOverVariableOverFileOverDefault() throws {
        let file = try file("batch-size: 9")
        let both = SettingEnvironment(["BATCH_SIZE": "8"], file: file)
        #expect(try batchSize.resolve("7", environment: both) == 7)
        #expect(try batchSize.resolve(nil, environment: both) == 8)
        // What is empty counts as unset, on every layer.
        #expect(try batchSize.resolve(nil, environment: SettingEnvironment(["BATCH_SIZE": ""], file: file)) == 9)
        #expect(try batchSize.resolve(nil, environment: SettingEnvironment([:], file: self.file("batch-size:"))) == 100)
        #expect(try batchSize.resolve(nil, environment: SettingEnvironment([:], file: self.file("# nothing yet\n"))) == 100)
        // What is overridden is not looked at.
        #expect(try batchSize.resolve(nil, environment: SettingEnvironment(["BATCH_SIZE": "8"], file: self.file("batch-size: junk"))) == 8)
        #expect(both.find("BATCH_SIZE")?.origin == .variable("BATCH_SIZE"))
        #expect(SettingEnvironment([:], file: file).find("BATCH_SIZE")?.origin == .file(path: "settings.yaml", line: 1))
    }

    /// YAML would make a boolean, a null, numbers and a date of these.
    @Test(arguments: ["no", "true", "null", "~", "1e3", "0x10", "010", "2015-09-01", "1_000", "12:30:45"])
    func valuesAreTheirText(text: String) throws {
        let environment = SettingEnvironment([:], file: try file("network: \(text)"))
        #expect(try network.resolve(nil, environment: environment) == text)
    }

    @Test func quotedValuesAndLists() throws {
        let text = """
            # One file for all programs.
            network-passphrase: "Public Global Stellar Network ; September 2015"
            protocol-id: [SEP50, SEP41]
            network: 'it''s'
            """
        let environment = SettingEnvironment([:], file: try file(text))
        #expect(environment["NETWORK_PASSPHRASE"] == "Public Global Stellar Network ; September 2015")
        #expect(environment["PROTOCOL_ID"] == "SEP50,SEP41")
        #expect(environment["NETWORK"] == "it's")
        #expect(environment.find("PROTOCOL_ID")?.origin.description == "settings.yaml:3")
    }

    @Test func aWrongValueIsNamedByFileLineAndKey() throws {
        let environment = SettingEnvironment([:], file: try file("network: test\nbatch-size: many"))
        #expect(throws: UsageError("settings.yaml:2: batch-size \"many\" (--batch-size): is not a whole number from 1 to 10000")) {
            try batchSize.resolve(nil, environment: environment)
        }
    }

    @Test(
        arguments: [
            ("bach-size: 1", "settings.yaml:1: \"bach-size\" is no setting; is batch-size meant?"),
            ("BATCH_SIZE: 1", "settings.yaml:1: \"BATCH_SIZE\" is no setting; is batch-size meant?"),
            ("# first\ndatabase_url: x", "settings.yaml:2: \"database_url\" is no setting; is database-url meant?"),
            ("colour: red", "settings.yaml:1: \"colour\" is no setting: a key is a flag without its dashes"),
            ("rebuild: true", "settings.yaml:1: rebuild is asked for once, with the flag --rebuild: it cannot stand in a file"),
            ("batch-size: [1, 2]", "settings.yaml:1: batch-size is a list, and takes a single value"),
            ("batch-size:\n  here: 1", "settings.yaml:1: batch-size has keys below it: settings are not nested"),
            ("protocol-id: [[SEP41]]", "settings.yaml:1: protocol-id is a list of something other than single values"),
            ("- batch-size", "settings.yaml: is not a list of settings of the form 'key: value'"),
        ])
    func whatIsNoSettingIsRefused(text: String, problem: String) {
        #expect(problems(text) == [problem])
    }

    @Test func allProblemsAtOnce() {
        #expect(problems("bach-size: 1\nnetwork: test\nfetcher: 2\nbatch-size: {}").count == 3)
        #expect(problems("batch-size: 1\nbatch-size: 2").first?.contains("twice: batch-size") == true)
    }

    /// The complaint of a YAML parser would show the line.
    @Test(
        arguments: [
            "database-url: \"postgresql://u:never-to-be-shown@h/d", "database-url: never-to-be-shown: x", "\tnetwork: never-to-be-shown",
        ])
    func whatIsNotYAMLIsRefusedWithoutBeingShown(text: String) {
        let found = problems(text).joined()
        #expect(found.contains("settings.yaml:") && found.contains("is not YAML"), "\(found)")
        #expect(!found.contains("never-to-be-shown"), "\(found)")
    }

    @Test func aFileThatCannotBeReadIsNamed() {
        do throws(ConfigurationFile.Refusal) {
            _ = try ConfigurationFile(path: "/nowhere/settings.yaml")
            Issue.record("no error")
        } catch {
            #expect(error.problems == ["/nowhere/settings.yaml: cannot be read: No such file or directory"])
        }
    }

    @Test(
        arguments: [
            (0o644, "postgresql://u:secret@h/d", true), (0o600, "postgresql://u:secret@h/d", false), (0o644, "postgresql://u@h/d", false),
        ])
    func aPasswordThatOthersCanReadIsWarnedOf(mode: Int, url: String, warns: Bool) throws {
        let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("database-url: \(url)\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let warning = SettingEnvironment([:], file: try ConfigurationFile(path: path)).warning
        #expect((warning != nil) == warns, "\(warning ?? "none")")
        #expect(warning?.contains("secret") != true)
        if warns { #expect(warning?.contains("database-url") == true && warning?.contains("chmod 600 \(path)") == true) }
    }

    @Test func anotherProcessIsGivenWhatTheFileSays() throws {
        let environment = SettingEnvironment(
            ["CONFIG": "settings.yaml", "NETWORK": "env", "LOG_LEVEL": "", "HOME": "/home/x"],
            file: try file("network: file\nlog-level: debug\nbatch-size: 5"))
        #expect(
            environment.forAnotherProcess == ["NETWORK": "env", "LOG_LEVEL": "debug", "BATCH_SIZE": "5", "HOME": "/home/x"])
    }

    @Test(
        arguments: [
            ("postgresql://wallet:secret@db:5432/wallet", "postgresql://wallet:***@db:5432/wallet"),
            ("postgresql://wallet@db/wallet?password=secret&x=1", "postgresql://wallet@db/wallet?password=***&x=1"),
            ("host=db password='se cret' user=x", "host=db password=*** user=x"), ("https://secret@rpc/path", "https://***@rpc/path"),
            ("s3://bucket/path", "s3://bucket/path"), ("Standalone Network ; February 2017", "Standalone Network ; February 2017"),
        ])
    func secretsAreHidden(text: String, shown: String) {
        #expect(Secrets.hidden(in: text) == shown)
        #expect(Secrets.isIn(text) == (text != shown))
    }
}
