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
        guard !value.isNaN else { return }
        // A bucket's bound belongs to it.
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        values.update(labels) { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func render(into text: inout MetricsText) {
        for (labels, state) in values.all {
            var total = 0
            for (bound, count) in zip(bounds + [.infinity], state.counts) {
                total += count
                text.sample(descriptor.name + "_bucket", labels + [("le", MetricsText.number(bound))], Double(total))
            }
            text.sample(descriptor.name + "_sum", labels, state.sum)
            text.sample(descriptor.name + "_count", labels, Double(total))
        }
    }
}
