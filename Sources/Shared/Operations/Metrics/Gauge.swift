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
