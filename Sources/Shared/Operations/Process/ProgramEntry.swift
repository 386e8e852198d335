public import ArgumentParser
internal import Glibc

extension AsyncParsableCommand {
    /// The whole program: parses the command line, runs the command that was meant, and ends the process where that fails.
    ///
    /// The argument parser's own `main` shows the usage of the root where a command finds its settings wrong only when it runs; this shows that of the
    /// command.
    public static func runProgram() async {
        var meant: (any ParsableCommand.Type)?
        do {
            var command = try parseAsRoot()
            meant = type(of: command)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            guard let meant, let error = error as? ValidationError else { exit(withError: error) }
            let usage = usageString(for: meant).replacing("USAGE: ", with: "")
            // Of the usage the names of the commands, up to the first option or argument.
            let name = usage.split(separator: " ").prefix { !$0.hasPrefix("<") && !$0.hasPrefix("[") && !$0.hasPrefix("-") }.joined(
                separator: " ")
            StandardError.write(line: "Error: \(error.message)\nUsage: \(usage)\n  See '\(name) --help' for more information.")
            StandardError.flush(within: .seconds(1))
            Glibc.exit(ExitStatus.usage.rawValue)
        }
    }
}
