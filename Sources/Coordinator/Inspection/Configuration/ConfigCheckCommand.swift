public import ArgumentParser
import Operations

/// `wallet-backend config check`.
public struct ConfigCheckCommand: AsyncParsableCommand {
    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Show the settings of all programs as they come out, and where each came from. Starts nothing.",
        discussion: """
            A flag wins over its environment variable, that over the configuration file, and that over the default. A file is YAML with one key for each \
            flag, without its dashes; one file serves all programs. Passwords are not shown, of URLs only scheme, host and port.

                database-url: postgresql://wallet:secret@db.internal/wallet
                rpc-url: https://rpc.example.org
                network-passphrase: Public Global Stellar Network ; September 2015
                network: pubnet
                protocol-id: [SEP50, SEP41]

            Exit status: 0 all is well, 1 a value is wrong, 64 the file or a flag cannot be read.
            """)

    @OptionGroup var file: ConfigurationOptions
    @Flag(name: .customLong("json"), help: "One JSON document instead of the table.") var json = false
    @Argument(
        parsing: .allUnrecognized, help: ArgumentHelp("Flags of any program, to see what comes of them.", valueName: "flags"))
    var flags: [String] = []

    /// Nothing given.
    public init() {}

    /// Checks everything, then says all that is wrong.
    public func run() async throws {
        let given = GivenFlags(flags)
        var unreadable = given.problems
        var environment = SettingEnvironment(ProcessEnvironment.current)
        do throws(ConfigurationFile.Refusal) {
            environment = try file.read()
        } catch {
            unreadable += error.problems
        }
        let settings = EffectiveSettings(flags: given.values, environment: environment)
        let problems = unreadable + settings.problems
        Output.write(json ? Self.json(settings, problems).line : Self.text(settings, problems))
        if !unreadable.isEmpty { throw ExitStatus.usage.exitCode }
        if !problems.isEmpty { throw ExitStatus.failure.exitCode }
    }

    private static func text(_ settings: EffectiveSettings, _ problems: [String]) -> String {
        var table = TextTable([("SETTING", .left), ("VALUE", .left), ("FROM", .left)])
        for entry in settings.entries {
            table.add([entry.flag, entry.value ?? (entry.origin == nil ? "-" : "wrong, see below"), entry.origin ?? "-"])
        }
        var lines = table.lines + [""]
        for problem in problems { lines += LabelledText(label: "problem", text: problem).lines(indent: 9) }
        for warning in settings.warnings { lines += LabelledText(label: "warning", text: warning).lines(indent: 9) }
        if problems.isEmpty { lines.append("All settings that are given can be used.") }
        return lines.joined(separator: "\n")
    }

    private static func json(_ settings: EffectiveSettings, _ problems: [String]) -> JSON {
        .object([
            "settings": .list(
                settings.entries.map {
                    .object(["name": .text($0.flag), "value": .optional($0.value), "from": .optional($0.origin)])
                }),
            "problems": .texts(problems),
            "warnings": .texts(settings.warnings),
        ])
    }
}
