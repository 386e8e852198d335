import Foundation

/// Standard output: what a command was asked for. Logs and errors go to standard error.
enum Output {
    /// Writes a text and a line feed, at once.
    static func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    /// Whether a person sees it.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
