import Operations
import Testing

@Suite struct MetricsTests {
    @Test func rendersTheExpositionFormat() {
        let registry = MetricsRegistry()
        let batches = registry.counter("batches_total", help: "Batches committed.")
        let rows = registry.counter("rows_total", help: "Rows, by\nprotocol and \\ reason.", labels: ["protocol", "reason"])
        let window = registry.gauge("window", help: "Batches in flight.")
        let seconds = registry.histogram("commit_seconds", help: "Commit time.", bounds: [0.1, 0.5, 1])
        registry.gauge("read", help: "Read.") { 1.5 }
        registry.gauge("absent", help: "Absent.") { nil }
        rows.add(2, "SEP41", "a\"b\\c\nd")
        rows.add(0.5, "SEP41", "a\"b\\c\nd")
        rows.add(1, "SEP40", "")
        batches.add()
        batches.add(1e15)
        batches.add(-5)
        batches.add(.nan)
        window.set(7)
        window.add(-9.25)
        for value in [0.05, 0.1, 0.100001, 1, 99] { seconds.observe(value) }
        seconds.observe(.nan)
        #expect(
            registry.render() == #"""
                # HELP batches_total Batches committed.
                # TYPE batches_total counter
                batches_total 1000000000000001
                # HELP rows_total Rows, by\nprotocol and \\ reason.
                # TYPE rows_total counter
                rows_total{protocol="SEP40",reason=""} 1
                rows_total{protocol="SEP41",reason="a\"b\\c\nd"} 2.5
                # HELP window Batches in flight.
                # TYPE window gauge
                window -2.25
                # HELP commit_seconds Commit time.
                # TYPE commit_seconds histogram
                commit_seconds_bucket{le="0.1"} 2
                commit_seconds_bucket{le="0.5"} 3
                commit_seconds_bucket{le="1"} 4
                commit_seconds_bucket{le="+Inf"} 5
                commit_seconds_sum 100.250001
                commit_seconds_count 5
                # HELP read Read.
                # TYPE read gauge
                read 1.5
                # HELP absent Absent.
                # TYPE absent gauge

                """#)
    }

    @Test func labelledHistogramKeepsItsLabels() {
        let registry = MetricsRegistry()
        registry.histogram("h", help: "H.", labels: ["p"], bounds: [1]).observe(2, "x")
        #expect(
            registry.render() == """
                # HELP h H.
                # TYPE h histogram
                h_bucket{p="x",le="1"} 0
                h_bucket{p="x",le="+Inf"} 1
                h_sum{p="x"} 2
                h_count{p="x"} 1

                """)
    }

    /// Whatever number a peer claims: it costs one step, and nothing traps.
    @Test func countsManyObservationsAtOnce() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("h", help: "H.", labels: ["p"], bounds: [1])
        histogram.observe(0.5, times: 4, "x")
        histogram.observe(2, times: 3, "x")
        histogram.observe(1, times: 0, "x")
        histogram.observe(1, times: -5, "x")
        histogram.observe(.nan, times: 2, "x")
        #expect(
            registry.render().hasSuffix(
                """
                h_bucket{p="x",le="1"} 4
                h_bucket{p="x",le="+Inf"} 7
                h_sum{p="x"} 8
                h_count{p="x"} 7

                """))
        for _ in 0..<3 { histogram.observe(2, times: .max, "x") }
        histogram.observe(0.5, times: .max, "x")
        #expect(registry.render().contains(#"h_count{p="x"} 9223372036854775807"#) || registry.render().contains(#"h_count{p="x"} 9.22"#))
    }

    @Test func aCounterOnlyGrows() {
        let counter = MetricsRegistry().counter("c_total", help: "C.")
        for amount in [2, -1, Double.infinity, -.infinity, .nan, 0.5] { counter.add(amount) }
        #expect(counter.value() == 2.5)
    }

    @Test func unlabelledMetricsStartAtZero() {
        let registry = MetricsRegistry()
        _ = registry.counter("a_total", help: "A.")
        _ = registry.gauge("g", help: "G.", labels: ["l"])
        #expect(registry.render() == "# HELP a_total A.\n# TYPE a_total counter\na_total 0\n# HELP g G.\n# TYPE g gauge\n")
    }

    @Test func infinitiesAreSpelledAsTheFormatWants() {
        let registry = MetricsRegistry()
        let gauge = registry.gauge("g", help: "G.", labels: ["l"])
        gauge.set(.infinity, "a")
        gauge.set(-.infinity, "b")
        gauge.set(.nan, "c")
        gauge.set(1e300, "d")
        #expect(registry.render().hasSuffix("g{l=\"a\"} +Inf\ng{l=\"b\"} -Inf\ng{l=\"c\"} NaN\ng{l=\"d\"} 1e+300\n"))
    }

    @Test func countsFromManyThreads() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("c_total", help: "C.", labels: ["l"])
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 { group.addTask { for _ in 0..<1000 { counter.add(1, "\(task % 2)") } } }
        }
        #expect(counter.value("0") == 4000)
        #expect(counter.value("1") == 4000)
    }

    @Test func processMetricsAreThere() {
        let registry = MetricsRegistry()
        registry.addProcessMetrics()
        for name in [
            "process_resident_memory_bytes", "process_peak_resident_memory_bytes", "process_cpu_seconds_total",
            "process_start_time_seconds",
        ] {
            let line = registry.render().split(separator: "\n").first { $0.hasPrefix(name + " ") }
            #expect(line.flatMap { Double($0.dropFirst(name.count + 1)) }.map { $0 > 0 } == true, "\(name)")
        }
    }
}
