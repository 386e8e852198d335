import Foundation
import Operations
import TestSupport
import Testing

@Suite struct StandardErrorTests {
    @Test func aLogThatNobodyReadsStallsNoProcess() throws {
        let program = try UnreadProgram("flood", "16")
        #expect(try program.readLine() == "flooded")
        #expect(try program.exit(within: .seconds(60)) == 0)
        let lines = try program.readStandardError()
        #expect(!lines.isEmpty)
    }

    @Test func whatIsLoggedBeforeTheEndIsWritten() async throws {
        let program = try RunningProgram("operations-probe", ["flood", "0.5"])
        #expect(await program.exit() == 0)
        #expect(program.lines(containing: "xxxx").count == 500)
    }

    @Test func dropsBeyondItsBoundAndSaysHowMany() throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor, capacity: 10_000)
        writer.reportLoss { "lost \($0)" }
        let line = String(repeating: "x", count: 99)
        // A pipe that is full, and nobody reads: the queue takes 10,000 bytes, the thread may have one line in its hands.
        let descriptor = open("/proc/self/fd/\(pipe.fileHandleForWriting.fileDescriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        let filling = Array("\(line)\n".utf8)
        var filled = 0
        while write(descriptor, filling, filling.count) == filling.count { filled += 1 }
        close(descriptor)
        for _ in 0..<2000 { writer.write(line) }
        #expect(!writer.flush(within: .milliseconds(1)))
        let reader = LineReader(pipe.fileHandleForReading)
        let said = try #require(reader.nextLine { $0.hasPrefix("lost ") }.flatMap { Int($0.dropFirst(5)) })
        #expect((1800...1900).contains(said))
        // Every line came whole, and what did not come was counted. (The queue may have moved on between two losses.)
        #expect(writer.flush(within: .seconds(60)))
        writer.write("last")
        #expect(reader.nextLine { $0 == "last" } != nil)
        let lines = reader.seen
        #expect(lines.allSatisfy { $0 == line || $0.hasPrefix("lost ") || $0 == "last" })
        let lost = lines.compactMap { $0.hasPrefix("lost ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
        #expect(lines.filter { $0 == line }.count + lost == 2000 + filled)
    }

    @Test func takesALineThatIsLongerThanItsBound() throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor, capacity: 100)
        let reader = LineReader(pipe.fileHandleForReading)
        let line = String(repeating: "long", count: 100_000)
        writer.write(line)
        #expect(reader.nextLine { $0 == line } != nil)
    }
}

/// Reads lines of a pipe, one after the other.
private final class LineReader {
    private let handle: FileHandle
    private var rest: [UInt8] = []
    private(set) var seen: [String] = []

    init(_ handle: FileHandle) { self.handle = handle }

    /// Reads on until a line fits; nil at the end of the pipe.
    func nextLine(where fits: (String) -> Bool) -> String? {
        while true {
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeSubrange(...end)
                seen.append(line)
                if fits(line) { return line }
            }
            let bytes = handle.availableData
            if bytes.isEmpty { return nil }
            rest += bytes
        }
    }
}
