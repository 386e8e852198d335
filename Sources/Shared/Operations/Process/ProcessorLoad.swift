internal import Foundation

/// How busy the processors of this host are, whoever uses them.
public struct ProcessorLoad: Sendable {
    /// Processors that this process may use.
    public static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    private var last: (busy: Double, all: Double)?

    /// Nothing seen yet.
    public init() {}

    /// The busy part, 0 to 1, of the time since the last look; nil at the first look and where /proc/stat is not understood.
    public mutating func busySinceLastLook() -> Double? {
        guard let now = Self.times(ProcessStatistics.readFile("/proc/stat") ?? "") else { return nil }
        defer { last = now }
        guard let last, now.all > last.all else { return nil }
        return min(1, max(0, (now.busy - last.busy) / (now.all - last.all)))
    }

    /// The first line of /proc/stat: `cpu user nice system idle iowait irq softirq steal ...`, in ticks since the start of the system.
    package static func times(_ text: String) -> (busy: Double, all: Double)? {
        guard let line = text.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        // Guests' time is part of the first two.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard ticks.count >= 5 else { return nil }
        let all = ticks.reduce(0, +)
        return (all - ticks[3] - ticks[4], all)
    }
}
