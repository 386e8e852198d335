import Glibc
import Logging
import Operations

/// A process that misbehaves as it is told to, for tests of what must work all the same.
@main struct Probe {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        let configuration = LogConfiguration(process: "probe")
        configuration.bootstrap()
        let logger = configuration.makeLogger()
        switch (arguments.first, arguments.last.flatMap { Double($0) }) {
        case ("hang", .some(let seconds)):
            hang(limit: .seconds(seconds), logger)
        case ("end-after-signal", _):
            let signals = TerminationSignals(logger: logger)
            say("ready")
            for await signal in signals {
                say("\(signal)")
                break
            }
        case ("flood", .some(let megabytes)):
            let text = String(repeating: "x", count: 1000)
            for _ in 0..<Int(megabytes * 1000) { logger.info("\(text)") }
            say("flooded")
        case ("private-folder", _):
            do {
                let folder = try PrivateFolder(prefix: arguments[2], in: arguments[3])
                say("folder \(folder.path)")
                sleepForEver()
            } catch {
                say("\(error)")
            }
        case ("remove-dead", _):
            PrivateFolder.removeDead(prefix: arguments[2], in: arguments[3])
            say("removed")
        case ("relay", _):
            let relay = LogRelay.open() ?? -1
            for byte in arguments.dropFirst().flatMap({ Array($0.utf8) + [UInt8(ascii: "\n")] }) {
                var byte = byte
                _ = write(relay, &byte, 1)
            }
            sleepForEver()
        default:
            say(
                "usage: hang SECONDS | end-after-signal | flood MEGABYTES | private-folder PREFIX PARENT | remove-dead PREFIX PARENT | relay LINE..."
            )
        }
    }

    /// Catches signals, and then leaves no thread that could act on them: every thread of the cooperative pool and the main one sleep for ever.
    private static func hang(limit: Duration, _ logger: Logger) {
        let signals = TerminationSignals(limit: limit, logger: logger)
        for _ in 0..<256 {
            Task.detached {
                _ = signals
                sleepForEver()
            }
        }
        say("ready")
        sleepForEver()
    }

    private static func sleepForEver() {
        while true { pause() }
    }

    private static func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }
}
