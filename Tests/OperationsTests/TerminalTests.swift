import Foundation
import Operations
import TestSupport
import Testing

/// A block that stays below the log of a terminal.
@Suite struct TerminalTests {
    @Test func theBlockStandsBelowTheLogAndNothingOfAnOldOneStays() throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        writer.write("one")
        writer.show(footer: [TerminalLine("10 %"), TerminalLine("fetcher-2")])
        writer.write("two")
        writer.write("three")
        writer.show(footer: [TerminalLine("20 %")])
        writer.write("four")
        writer.show(footer: [TerminalLine("30 %"), TerminalLine("fetcher-2"), TerminalLine("fetcher-3")])
        #expect(writer.flush(within: .seconds(60)))
        #expect(try Self.screen(of: pipe, 100) == ["one", "two", "three", "four", "30 %", "fetcher-2", "fetcher-3"])
        writer.show(footer: [])
        writer.write("five")
        #expect(writer.flush(within: .seconds(60)))
        #expect(try Self.screen(of: pipe, 100, after: ["one", "two", "three", "four", "30 %", "fetcher-2", "fetcher-3"]).last == "five")
    }

    @Test func withoutABlockNothingButLinesIsWritten() throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        writer.show(footer: [])
        writer.write("plain")
        #expect(writer.flush(within: .seconds(60)))
        #expect(String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self) == "plain\n")
    }

    @Test func aTextFromOutsideMovesNoCursorAndIsCutWithoutItsCodes() {
        var line = TerminalLine("a\u{1B}[2Jb\nc")
        line.add("bold", "\u{1B}[1m")
        #expect(line.text == "a?[2Jb?cbold")
        #expect(line.columns == 12)
        #expect(line.cut(to: 10).text == "a?[2Jb?cbo")
        #expect(line.cut(to: 0).text.isEmpty)
    }

    @Test(arguments: [
        (["LANG": "C.UTF-8"], false, true), (["LANG": "de_DE.utf8", "NO_COLOR": "1"], false, false), (["LANG": "C"], true, true),
        (["LC_ALL": "C", "LANG": "en_US.UTF-8"], true, true), ([:], true, true),
    ])
    func theStyleFollowsTheEnvironment(_ environment: [String: String], _ isPlain: Bool, _ hasCodes: Bool) {
        let style = TextStyle(environment: environment)
        #expect(style.isPlain == isPlain)
        #expect(style.bold.isEmpty != hasCodes)
    }

    @Test func numbersAndTimesReadWell() {
        #expect([0, 7, 1234, -1_234_567].map { Text.number($0) } == ["0", "7", "1,234", "-1,234,567"])
        #expect([0, 59.2, 61, 3725, .infinity].map { Text.clock($0) } == ["0s", "1m00s", "1m01s", "1h02m05s", "0s"])
        #expect([12, 5_300, 5_300_000, 2_000_000_000].map { Text.bytes($0) } == ["12 B", "5.3 kB", "5.3 MB", "2.0 GB"])
        #expect([0.127, .nan].map { Text.percent($0) } == ["13 %", "-"])
    }

    @Test func linesOfAPipeComeOutWhole() async throws {
        let program = try RunningProgram("operations-probe", ["relay", "hello", "world"])
        _ = try #require(await program.line(containing: "world"), "\(program.log)")
        #expect(program.lines == ["hello", "world"])
        program.send(SIGKILL)
    }

    @Test func theFirstLineOfTheSystemsStatisticsTellsTheLoad() throws {
        let text = "cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1\n"
        let times = try #require(ProcessorLoad.times(text))
        #expect(times.busy == 30 && times.all == 100)
        #expect(ProcessorLoad.times("intr 5") == nil)
        #expect(ProcessorLoad.times("") == nil)
    }

    /// What a terminal shows of the bytes in a pipe: carriage return, line feed, cursor up, erase to the end of the screen; other codes set text off.
    private static func screen(of pipe: Pipe, _ columns: Int, after before: [String] = []) throws -> [String] {
        var lines = before + [""]
        var row = before.count
        var rest = Substring(String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self))
        while let character = rest.popFirst() {
            switch character {
            case "\r": break
            case "\n":
                row += 1
                if row == lines.count { lines.append("") }
            case "\u{1B}":
                let code = rest.prefix { !$0.isLetter }
                rest = rest.dropFirst(code.count)
                let kind = rest.popFirst()
                if kind == "A" { row -= try #require(Int(code.dropFirst())) }
                if kind == "J" { lines = Array(lines[..<row]) + [""] }
            default: lines[row].append(character)
            }
        }
        return lines.filter { !$0.isEmpty }
    }
}
