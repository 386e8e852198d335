/// A number that only grows. Thread-safe.
public final class Counter: MetricFamily {
    let descriptor: MetricDescriptor
    private let values: LabelledValues<Double>

    init(_ descriptor: MetricDescriptor) {
        self.descriptor = descriptor
        values = LabelledValues(descriptor, initial: 0)
    }

    /// Adds to the value with these labels' values, given in the order of registration. What is negative or not a number adds nothing.
    public func add(_ amount: Double = 1, _ labels: String...) {
        values.update(labels) { $0 += amount > 0 ? amount : 0 }
    }

    /// The value with these labels' values; 0 if it was never touched.
    public func value(_ labels: String...) -> Double { values[labels] ?? 0 }

    func render(into text: inout MetricsText) {
        for (labels, value) in values.all { text.sample(descriptor.name, labels, value) }
    }
}
