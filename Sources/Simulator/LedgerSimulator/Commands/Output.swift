internal import Foundation

/// Standard output, unbuffered: readers of a pipe get each line at once.
enum Output {
    /// Writes a line; a reader that is gone is not an error.
    static func line(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) }
}
