internal import Synchronization

/// The metrics of a process and their Prometheus text form (exposition format 0.0.4).
///
/// Names and labels are the program's own words: a malformed or doubled name is a mistake of the programmer and stops the process when the
/// metric is registered, at its start. Values of labels may be anything.
public final class MetricsRegistry: Sendable {
    private let families = Mutex<[any MetricFamily]>([])

    /// An empty registry.
    public init() {}

    /// A number that only grows; by convention its name ends in `_total`.
    public func counter(_ name: String, help: String, labels: [String] = []) -> Counter {
        register(Counter(MetricDescriptor(name: name, help: help, type: "counter", labels: labels)))
    }

    /// A number that goes up and down.
    public func gauge(_ name: String, help: String, labels: [String] = []) -> Gauge {
        register(Gauge(MetricDescriptor(name: name, help: help, type: "gauge", labels: labels)))
    }

    /// Counts of observations up to each bound.
    ///
    /// - Parameter bounds: the buckets' inclusive upper bounds, ascending; +Inf is added.
    public func histogram(_ name: String, help: String, labels: [String] = [], bounds: [Double]) -> Histogram {
        register(Histogram(MetricDescriptor(name: name, help: help, type: "histogram", labels: labels), bounds: bounds))
    }

    /// A gauge that is asked for its value whenever the metrics are read; nil leaves it out.
    public func gauge(_ name: String, help: String, read: @escaping @Sendable () -> Double?) {
        _ = register(Reading(MetricDescriptor(name: name, help: help, type: "gauge", labels: []), read: read))
    }

    /// A counter that is asked for its value whenever the metrics are read; nil leaves it out.
    public func counter(_ name: String, help: String, read: @escaping @Sendable () -> Double?) {
        _ = register(Reading(MetricDescriptor(name: name, help: help, type: "counter", labels: []), read: read))
    }

    /// Everything, in the order of registration.
    public func render() -> String {
        let families = families.withLock { $0 }
        var text = MetricsText()
        for family in families {
            text.head(family.descriptor)
            family.render(into: &text)
        }
        return text.text
    }

    private func register<Family: MetricFamily>(_ family: Family) -> Family {
        let descriptor = family.descriptor
        precondition(MetricDescriptor.isName(descriptor.name, colons: true), "metric name \(descriptor.name)")
        precondition(
            descriptor.labels.allSatisfy { MetricDescriptor.isName($0, colons: false) && $0 != "le" }, "labels of \(descriptor.name)")
        families.withLock { families in
            precondition(!families.contains { $0.descriptor.name == descriptor.name }, "metric \(descriptor.name) registered twice")
            families.append(family)
        }
        return family
    }
}

/// What does not change about a metric.
struct MetricDescriptor: Sendable {
    let name: String
    let help: String
    let type: String
    let labels: [String]

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`; a label's name has no colons.
    static func isName(_ name: String, colons: Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): colons
            default: false
            }
        }
    }
}

/// A metric with its values, one for each combination of label values.
protocol MetricFamily: Sendable {
    var descriptor: MetricDescriptor { get }
    func render(into text: inout MetricsText)
}

/// A metric whose value is read when asked for.
struct Reading: MetricFamily {
    let descriptor: MetricDescriptor
    let read: @Sendable () -> Double?

    init(_ descriptor: MetricDescriptor, read: @escaping @Sendable () -> Double?) {
        self.descriptor = descriptor
        self.read = read
    }

    func render(into text: inout MetricsText) {
        if let value = read() { text.sample(descriptor.name, [], value) }
    }
}

/// Writes the exposition format.
struct MetricsText {
    private(set) var text = ""

    mutating func head(_ descriptor: MetricDescriptor) {
        text += "# HELP \(descriptor.name) \(Self.escaped(descriptor.help, quotes: false))\n"
        text += "# TYPE \(descriptor.name) \(descriptor.type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    /// Whole numbers without a fraction; `+Inf`, `-Inf` and `NaN` as the format spells them.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Up to 2^53 every whole number is exact.
        if value == value.rounded(), abs(value) <= 0x1p53 { return String(Int64(value)) }
        return value.description
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension MetricsRegistry {
    /// Adds what every Prometheus client tells of its process, read from /proc/self, and the program's version.
    public func addProcessMetrics() {
        gauge("wallet_build_info", help: "1; the label tells the version.", labels: ["version"]).set(1, ProgramVersion.text)
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
