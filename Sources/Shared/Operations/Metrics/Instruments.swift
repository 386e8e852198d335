internal import Synchronization

/// A number that only grows. Thread-safe.
public final class Counter: MetricFamily {
    let descriptor: MetricDescriptor
    private let values: LabelledValues<Double>

    init(_ descriptor: MetricDescriptor) {
        self.descriptor = descriptor
        values = LabelledValues(descriptor, initial: 0)
    }

    /// Adds to the value with these labels' values, given in the order of registration. What is negative or not finite adds nothing.
    public func add(_ amount: Double = 1, _ labels: String...) {
        values.update(labels) { $0 += amount > 0 && amount.isFinite ? amount : 0 }
    }

    /// The value with these labels' values; 0 if it was never touched.
    public func value(_ labels: String...) -> Double { values[labels] ?? 0 }

    func render(into text: inout MetricsText) {
        for (labels, value) in values.all { text.sample(descriptor.name, labels, value) }
    }
}

/// A number that goes up and down. Thread-safe.
public final class Gauge: MetricFamily {
    let descriptor: MetricDescriptor
    private let values: LabelledValues<Double>

    init(_ descriptor: MetricDescriptor) {
        self.descriptor = descriptor
        values = LabelledValues(descriptor, initial: 0)
    }

    /// Sets the value with these labels' values, given in the order of registration.
    public func set(_ value: Double, _ labels: String...) {
        values.update(labels) { $0 = value }
    }

    /// Adds to the value; a negative amount subtracts.
    public func add(_ amount: Double, _ labels: String...) {
        values.update(labels) { $0 += amount }
    }

    /// The value with these labels' values; 0 if it was never touched.
    public func value(_ labels: String...) -> Double { values[labels] ?? 0 }

    func render(into text: inout MetricsText) {
        for (labels, value) in values.all { text.sample(descriptor.name, labels, value) }
    }
}

/// Counts of observations up to each bound, their number and sum. Thread-safe.
public final class Histogram: MetricFamily {
    private struct State: Sendable {
        var counts: [Int]
        var sum = 0.0
    }

    let descriptor: MetricDescriptor
    private let bounds: [Double]
    private let values: LabelledValues<State>

    init(_ descriptor: MetricDescriptor, bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds of \(descriptor.name) do not ascend")
        self.descriptor = descriptor
        self.bounds = bounds.filter { $0.isFinite }
        values = LabelledValues(descriptor, initial: State(counts: [Int](repeating: 0, count: self.bounds.count + 1)))
    }

    /// Counts an observation; labels' values in the order of registration. What is not a number is left out.
    public func observe(_ value: Double, _ labels: String...) {
        observe(value, times: 1, labels)
    }

    /// Counts an observation that was made several times, as one for each of many ledgers. A number of times below one counts nothing.
    public func observe(_ value: Double, times: Int, _ labels: String...) {
        observe(value, times: times, labels)
    }

    private func observe(_ value: Double, times: Int, _ labels: [String]) {
        guard !value.isNaN, times > 0 else { return }
        // A bucket's bound belongs to it.
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        values.update(labels) { state in
            // The number may come from another process: it must not trap here.
            state.counts[bucket] = state.counts[bucket].addingWithoutOverflow(times)
            state.sum += value * Double(times)
        }
    }

    func render(into text: inout MetricsText) {
        for (labels, state) in values.all {
            var total = 0
            for (bound, count) in zip(bounds + [.infinity], state.counts) {
                total = total.addingWithoutOverflow(count)
                text.sample(descriptor.name + "_bucket", labels + [("le", MetricsText.number(bound))], Double(total))
            }
            text.sample(descriptor.name + "_sum", labels, state.sum)
            text.sample(descriptor.name + "_count", labels, Double(total))
        }
    }
}

extension Int {
    fileprivate func addingWithoutOverflow(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

/// Values by the values of their labels.
final class LabelledValues<Value: Sendable>: Sendable {
    private let labels: [String]
    private let values: Mutex<[[String]: Value]>
    private let initial: Value

    init(_ descriptor: MetricDescriptor, initial: Value) {
        labels = descriptor.labels
        self.initial = initial
        // What has no labels is there from the start, at zero.
        values = Mutex(labels.isEmpty ? [[]: initial] : [:])
    }

    func update(_ key: [String], _ change: (inout Value) -> Void) {
        precondition(key.count == labels.count, "\(key.count) values for labels \(labels)")
        values.withLock { change(&$0[key, default: initial]) }
    }

    subscript(key: [String]) -> Value? { values.withLock { $0[key] } }

    /// All values with their labels, in the order of the labels' values.
    var all: [(labels: [(name: String, value: String)], value: Value)] {
        values.withLock { $0 }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { entry in (zip(labels, entry.key).map { (name: $0, value: $1) }, entry.value) }
    }
}
