import Coordinator
import Foundation
import Operations
import Pipeline
import StateChanges
import Testing

/// What an operator is shown of a run.
@Suite struct ProgressTests {
    typealias Conversation = CoordinatorMachineTests.Conversation

    /// A run in its first round whose fetcher and writer have reported for some seconds.
    static func status(fetchers: Int = 1, outcome: String? = nil) -> RunStatus {
        var it = Conversation.inRound(to: 40)
        var monitor = RunMonitor(run: Conversation.run, version: "1.2.3", host: "h", pid: 7, at: 1000)
        monitor.note(.target(40, lowestCursor: 0), at: 1000)
        for fetcher in 1..<max(1, fetchers) { _ = it.register(.fetcher, at: 10 + fetcher, "f\(fetcher)") }
        _ = it.fetcher(.ready(round: 1, batches: 2))
        _ = monitor.tick(it.machine, at: 1001)
        for second in 2...6 {
            var counters = FetcherCounters()
            counters.ledgers = 100 * second
            counters.responseBytes = 1_000_000 * second
            counters.fetchSeconds = 0.2 * Double(second)
            counters.extractSeconds = 0.5 * Double(second)
            counters.processSeconds = 0.2 * Double(second)
            counters.retries = ["timeout": second]
            monitor.counted(1, counters, at: 1000 + Double(second))
            monitor.holds(ReorderLoad(ledgers: 12, bytes: 3_400_000))
            for notice in it.notices(
                it.event(
                    .writer(
                        .committed(
                            round: 1,
                            report: CommitReport(
                                ledgers: UInt32(second + 9)...UInt32(second + 9), swaps: ["SEP41": .swapped], rows: ["SEP41": 5], bytes: 1,
                                seconds: 0.25))), from: 2))
            {
                monitor.note(notice, at: 1000 + Double(second))
            }
            _ = monitor.tick(it.machine, at: 1000 + Double(second))
        }
        var status = monitor.tick(it.machine, at: 1007)
        if let outcome { status.protocols[0].outcome = outcome }
        return status
    }

    @Test func aRunIsDescribedAsItIs() throws {
        let status = Self.status()
        #expect(status.phase == .round)
        #expect(status.version == "1.2.3" && status.run == "run" && status.now - status.started == 7)
        let one = try #require(status.protocols.first)
        #expect(one.id == "SEP41" && one.start == 0 && one.target == 40 && one.total == 40)
        #expect(one.cursor == 15 && one.done == 15 && one.rows == 25, "five ledgers of five rows beyond ledger 10")
        #expect(status.committedLedgers == 5)
        let fetcher = try #require(status.fetchers.first)
        #expect(fetcher.ledgersPerSecond == 100 && fetcher.retries == 6 && fetcher.batches == 2)
        #expect(abs((fetcher.fetchMilliseconds ?? 0) - 2) < 0.001 && abs((fetcher.decodeMilliseconds ?? 0) - 7) < 0.001)
        #expect(status.stages.reorder.bytes == 3_400_000 && (1...20).contains(status.stages.reorder.window))
        #expect(status.stages.commit.millisecondsPerTransaction == 250)
        #expect(status.stages.decode.busy > 0.6 && status.stages.bottleneck == .decode)
        #expect(status.writer?.worker == 2)
        #expect(status.throughput.count == 7)
    }

    @Test func theJSONHasTheKeysThatScriptsRead() throws {
        let json = try #require(try JSONSerialization.jsonObject(with: Data(Self.status().json.utf8)) as? [String: Any])
        for key in [
            "version", "run", "phase", "round", "ledgers_per_second", "protocols", "stages", "fetchers", "writer", "events", "throughput",
        ] {
            #expect(json[key] != nil, "\(key)")
        }
        let one = try #require((json["protocols"] as? [[String: Any]])?.first)
        #expect(one["id"] as? String == "SEP41" && one["done"] as? Int == 15 && one["ledgers_per_second"] != nil)
        #expect(try JSONDecoder.snake.decode(RunStatus.self, from: Data(Self.status().json.utf8)).fetchers.count == 1)
    }

    @Test func theBlockFitsItsTerminal() {
        let style = TextStyle(environment: ["LANG": "C"])
        let status = Self.status(fetchers: 64)
        for columns in [20, 40, 80, 200] {
            for rows in [3, 10, 24, 100] {
                let lines = ProgressBlock(columns: columns, rows: rows, style: style).lines(status)
                #expect(lines.count <= max(1, rows - 2))
                #expect(lines.allSatisfy { $0.columns < columns })
            }
        }
        let lines = ProgressBlock(columns: 120, rows: 40, style: style).lines(status).map(\.text)
        #expect(lines[0] == "migration run, 7s: round 1 to ledger 40")
        #expect(lines[1].hasPrefix("SEP41  #########...............  37.5 %  15/40 ledgers"), "\(lines[1])")
        #expect(lines[2].contains("commit 250.0 ms") && lines[2].hasSuffix("decode limits"), "\(lines[2])")
        #expect(lines[3].contains("fetcher-1") && lines[3].contains("100 ledgers/s"), "\(lines[3])")
        #expect(lines.last == "  and 57 more")
    }

    @Test func howAProtocolEndedStandsInItsLine() {
        let lines = ProgressBlock(columns: 120, rows: 40, style: TextStyle(environment: [:])).lines(Self.status(outcome: "HANDOFF")).map(
            \.text)
        #expect(lines[1].contains("HANDOFF") && !lines[1].contains("left"))
    }

    @Test func aLongRunHasAsManyPointsAsAShortOne() throws {
        var series = ThroughputSeries(start: 0, maxPoints: 100)
        for second in 1...100_000 { series.note(Double(second), 7 * second) }
        #expect((40...100).contains(series.points.count))
        #expect(series.points.allSatisfy { abs($0.ledgersPerSecond - 7) < 0.001 })
        #expect(zip(series.points, series.points.dropFirst()).allSatisfy { $0.time < $1.time })
        #expect(try #require(series.points.last).time > 98_000)
    }

    /// Numbers that a hostile fetcher sends make no number that JSON cannot hold, and trap nowhere.
    @Test func hostileCountersAreBounded() throws {
        var it = Conversation.inRound()
        var monitor = RunMonitor(run: Conversation.run, at: 0)
        for (second, number) in [Int.min, 0, Int.max, -5, Int.max].enumerated() {
            var counters = FetcherCounters()
            counters.ledgers = number
            counters.responseBytes = number
            counters.requestsInFlight = number
            counters.cores = number
            counters.fetchSeconds = number < 0 ? -.infinity : .greatestFiniteMagnitude
            counters.retries = ["a": number, "b": number]
            monitor.counted(1, counters, at: Double(second))
            monitor.holds(ReorderLoad(ledgers: number, bytes: number))
            let status = monitor.tick(it.machine, at: Double(second))
            #expect(!status.json.contains("inf") && !status.json.contains("nan"), "\(status.json)")
            _ = ProgressBlock(columns: 80, rows: 24, style: TextStyle(environment: [:])).lines(status)
        }
        _ = it.fetcher(.heartbeat(holding: [], counters: FetcherCounters()))
    }
}

extension JSONDecoder {
    fileprivate static var snake: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}
