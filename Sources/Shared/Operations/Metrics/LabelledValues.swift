internal import Synchronization

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
