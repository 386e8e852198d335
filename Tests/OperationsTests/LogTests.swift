import Foundation
import Logging
import Operations
import Synchronization
import Testing

@Suite struct LogTests {
    /// Keeps the lines.
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private func lines(_ format: LogFormat, label: String? = nil, level: Logger.Level = .info, _ body: (inout Logger) -> Void) -> [String] {
        let lines = Lines()
        let configuration = LogConfiguration(
            process: "fetcher 2", level: level, format: format, pid: 42, now: { UTCTime(milliseconds: 1_795_236_948_007) },
            write: lines.append)
        var logger = configuration.makeLogger(label: label)
        body(&logger)
        return lines.all
    }

    @Test func logfmt() {
        let lines = lines(.logfmt) { logger in
            logger[metadataKey: "lease"] = "7f"
            logger.info("batch done", metadata: ["ledgers": "100...199", "count": "\(100)", "a": ""])
        }
        #expect(
            lines == [
                #"ts=2026-11-21T04:55:48.007Z level=info process="fetcher 2" pid=42 msg="batch done" a="" count=100 lease=7f ledgers=100...199"#
            ])
    }

    @Test func json() throws {
        let lines = lines(.json, label: "library") { logger in
            logger.warning("batch\ndone", metadata: ["list": ["1", ["b": "2", "a": "x\"y"]], "n": .stringConvertible(3)])
        }
        #expect(
            lines == [
                #"{"ts":"2026-11-21T04:55:48.007Z","level":"warning","process":"fetcher 2","pid":42,"logger":"library","msg":"batch\ndone","list":["1",{"a":"x\"y","b":"2"}],"n":"3"}"#
            ])
        #expect(try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) is [String: Any])
    }

    @Test func onATerminalALineIsForEyes() {
        let lines = lines(.console) { logger in
            logger.info("batch done", metadata: ["ledgers": "100...199", "why": "it\u{1B}[2J said so"])
            logger.warning("a\nb")
        }
        let plain = lines.map { $0.replacing(/\u{1B}\[[0-9]*m/, with: "") }
        #expect(
            plain == [
                #"04:55:48Z fetcher 2   batch done  ledgers=100...199  why="it\u001b[2J said so""#, "04:55:48Z fetcher 2   warning: a?b",
            ])
    }

    /// A worker learns only from the coordinator which one it is, and of which run.
    @Test func linesNameWorkerAndRunOnceTheyAreKnown() throws {
        for (format, named) in [
            (LogFormat.logfmt, "process=fetcher-3 pid=42 run=7f msg="), (.json, #""process":"fetcher-3","pid":42,"run":"7f","msg":"#),
        ] {
            let lines = Lines()
            let configuration = LogConfiguration(process: "fetcher", format: format, pid: 42, write: lines.append)
            let logger = configuration.makeLogger()
            logger.info("before")
            configuration.identity.set(process: "fetcher-3", run: "7f")
            logger.info("after", metadata: ["run": "mine"])
            #expect(!lines.all[0].contains("run") && lines.all[1].contains(named) && lines.all[1].contains("run_"), "\(lines.all)")
        }
    }

    @Test func structuresAreFlatInLogfmt() {
        let lines = lines(.logfmt) { $0.info("m", metadata: ["list": ["1", ["b": "2", "a": "x"]], "one": ["1"]]) }
        #expect(lines[0].hasSuffix(#" msg="m" list="[1, {a: x, b: 2}]" one=[1]"#))
    }

    @Test(arguments: [
        ("plain", "plain"), ("ünï", "ünï"), ("a b", #""a b""#), ("a=b", #""a=b""#), (#"a"b"#, #""a\"b""#), (#"a\b"#, #""a\\b""#),
        ("a\nlevel=error", #""a\nlevel=error""#), ("a\r\tb", #""a\r\tb""#), ("\u{1B}[31m", #""\u001b[31m""#), ("\u{9B}", #""\u009b""#),
        ("\u{7F}", #""\u007f""#), ("\u{2028}", #""\u2028""#), ("\u{202E}x", #""\u202ex""#), ("\0", #""\u0000""#),
    ])
    func quotesAndEscapes(value: String, written: String) throws {
        let logfmt = lines(.logfmt) { $0.info("\(value)", metadata: ["k": "\(value)"]) }
        let quoted = written.hasPrefix("\"") ? written : "\"\(written)\""
        #expect(logfmt[0].hasSuffix(" msg=\(quoted) k=\(written)"))
        let json = lines(.json) { $0.info("\(value)", metadata: ["k": "\(value)"]) }
        #expect(json[0].hasSuffix(#""msg":\#(quoted),"k":\#(quoted)}"#))
        // Nothing is lost: the escapes are JSON's.
        #expect(try JSONDecoder().decode(String.self, from: Data(quoted.utf8)) == value)
    }

    @Test func keysCannotForgeFields() {
        let lines = lines(.logfmt) { $0.info("m", metadata: ["a b=c\n": "1", "level": "2", "": "3", "x.y-z_1": "4"]) }
        #expect(lines[0].hasSuffix(#" msg="m" _=3 a_b_c_=1 level_=2 x.y-z_1=4"#))
    }

    @Test func levelAndMetadataBelongToTheLogger() throws {
        let lines = lines(.logfmt, level: .notice) { logger in
            logger.info("not this")
            var other = logger
            other.logLevel = .debug
            other[metadataKey: "k"] = "other"
            logger[metadataKey: "k"] = "own"
            other.debug("1")
            logger.debug("not this either")
            logger.error("2", metadata: ["k": "event"])
            logger.notice("3")
        }
        try #require(lines.count == 3)
        #expect(lines[0].hasSuffix(" msg=\"1\" k=other"))
        #expect(lines[1].hasSuffix(" msg=\"2\" k=event"))
        #expect(lines[2].hasSuffix(" msg=\"3\" k=own"))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (253_402_300_799_000, "9999-12-31T23:59:59.000Z"),
        ] as [(Int64, String)])
    func writesTime(milliseconds: Int64, text: String) {
        #expect(UTCTime(milliseconds: milliseconds).text == text)
    }

    @Test func writesTimeAsFoundationDoes() {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for day in stride(from: Int64(0), to: 80_000, by: 37) {
            // Whole seconds: Foundation's fractions are binary ones.
            let seconds = day * 86_400 + day * 1_000_003 % 86_400
            #expect(UTCTime(milliseconds: seconds * 1000).text == Date(timeIntervalSince1970: Double(seconds)).formatted(style))
        }
    }
}
