internal import Glibc

/// What the kernel knows of this process.
public struct ProcessStatistics: Hashable, Sendable {
    /// Resident memory now, in bytes (VmRSS).
    public let residentBytes: Int
    /// The most that it ever was, in bytes (VmHWM).
    public let peakResidentBytes: Int
    /// Processor time of all threads, user and system, in seconds.
    public let cpuSeconds: Double
    /// When the process started, in seconds since 1970.
    public let startTime: Double

    /// This process's id.
    public static var pid: Int32 { getpid() }

    /// Reads /proc/self; nil where it is not mounted or not understood.
    public static func current() -> ProcessStatistics? {
        guard let status = readFile("/proc/self/status"), let stat = readFile("/proc/self/stat"), let system = readFile("/proc/stat") else {
            return nil
        }
        // CLOCK_PROCESS_CPUTIME_ID in microseconds (POSIX sets CLOCKS_PER_SEC to a million).
        let cpu = clock()
        guard cpu >= 0 else { return nil }
        return ProcessStatistics(
            status: status, stat: stat, system: system, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
            cpuSeconds: Double(cpu) / 1e6)
    }

    /// - Parameters:
    ///   - status: the text of /proc/PID/status.
    ///   - stat: the text of /proc/PID/stat.
    ///   - system: the text of /proc/stat.
    package init?(status: String, stat: String, system: String, ticksPerSecond: Int, cpuSeconds: Double) {
        guard let resident = Self.kilobytes("VmRSS:", in: status), let peak = Self.kilobytes("VmHWM:", in: status),
            let boot = Self.words(after: "btime", in: system)?.first.flatMap({ Double($0) }),
            // The process's name, field 2, may hold spaces and parentheses; field 22 is the start in ticks after boot.
            let nameEnd = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]), ticksPerSecond > 0 else { return nil }
        residentBytes = resident
        peakResidentBytes = peak
        self.cpuSeconds = cpuSeconds
        startTime = boot + ticks / Double(ticksPerSecond)
    }

    private static func kilobytes(_ key: String, in text: String) -> Int? {
        words(after: key, in: text)?.first.flatMap { Int($0) }.map { $0 << 10 }
    }

    private static func words(after key: String, in text: String) -> [Substring]? {
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.first == Substring(key) { return Array(words.dropFirst()) }
        }
        return nil
    }

    static func readFile(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count == 0 { return String(decoding: content, as: UTF8.self) }
            if count > 0 { content += buffer.prefix(count) } else if errno != EINTR { return nil }
        }
    }
}
