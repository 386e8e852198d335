import ArgumentParser
import Foundation
import Operations
import Testing

@Suite struct ProcessTests {
    @Test func statisticsOfThisProcess() throws {
        let statistics = try #require(ProcessStatistics.current())
        #expect(statistics.residentBytes > 1 << 20)
        #expect(statistics.peakResidentBytes >= statistics.residentBytes)
        #expect(statistics.cpuSeconds > 0)
        #expect(statistics.startTime > 1_600_000_000)
        #expect(statistics.startTime <= Date().timeIntervalSince1970 + 1)
    }

    @Test func readsWhatTheKernelWrites() throws {
        let stat = "42 (a) b (c) S " + (4...21).map(String.init).joined(separator: " ") + " 12345 23"
        let statistics = try #require(
            ProcessStatistics(
                status: "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n", stat: stat, system: "cpu 1 2\nbtime 1700000000\n",
                ticksPerSecond: 100, cpuSeconds: 1.5))
        #expect(statistics.residentBytes == 1 << 20)
        #expect(statistics.peakResidentBytes == 2 << 20)
        #expect(statistics.startTime == 1_700_000_123.45)
        for (status, stat, system) in [
            ("", stat, "btime 1"), ("VmHWM: 1 kB\nVmRSS: 1 kB", "42 (x) S 1", "btime 1"), ("VmHWM: 1 kB\nVmRSS: 1 kB", stat, ""),
        ] {
            #expect(ProcessStatistics(status: status, stat: stat, system: system, ticksPerSecond: 100, cpuSeconds: 0) == nil)
        }
    }

    @Test func brokenPipesAreErrors() {
        TerminationSignals.ignoreBrokenPipes()
        let pipe = Pipe()
        try? pipe.fileHandleForReading.close()
        // SIGPIPE would kill the test run.
        #expect(throws: (any Error).self) { try pipe.fileHandleForWriting.write(contentsOf: Data([1])) }
    }

    @Test func lifelineEndsTheProcessWhenTheParentIsGone() async throws {
        let pipe = Pipe()
        let (events, sink) = AsyncStream.makeStream(of: String.self)
        let hang = DispatchSemaphore(value: 0)
        defer { hang.signal() }
        ParentLifeline.watch(descriptor: pipe.fileHandleForReading.fileDescriptor, grace: .milliseconds(10)) {
            sink.yield("parent died")
            // An orderly end that never comes.
            hang.wait()
        } terminate: { status in
            sink.yield("exit \(status.rawValue)")
            sink.finish()
        }
        // What the parent writes does not matter.
        try pipe.fileHandleForWriting.write(contentsOf: Data("noise".utf8))
        try pipe.fileHandleForWriting.close()
        var seen: [String] = []
        for await event in events { seen.append(event) }
        #expect(Set(seen) == ["parent died", "exit 1"])
    }

    @Test func lifelineIsAnOption() throws {
        #expect(try ParentLifelineOptions.parse(["--parent-lifeline"]).parentLifeline)
        #expect(try !ParentLifelineOptions.parse([]).parentLifeline)
    }
}
