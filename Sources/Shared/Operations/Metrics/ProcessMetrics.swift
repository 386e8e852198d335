extension MetricsRegistry {
    /// Adds what every Prometheus client tells of its process, read from /proc/self.
    public func addProcessMetrics() {
        gauge("process_resident_memory_bytes", help: "Resident memory size in bytes.") {
            ProcessStatistics.current().map { Double($0.residentBytes) }
        }
        gauge("process_peak_resident_memory_bytes", help: "Largest resident memory size so far in bytes.") {
            ProcessStatistics.current().map { Double($0.peakResidentBytes) }
        }
        counter("process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds.") {
            ProcessStatistics.current()?.cpuSeconds
        }
        gauge("process_start_time_seconds", help: "Start time of the process since the Unix epoch in seconds.") {
            ProcessStatistics.current()?.startTime
        }
    }
}
