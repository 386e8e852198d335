/// Speed and remaining time from what was committed lately. The total is what is left at the start of the round, so a restart does not
/// make it wrong; the rate is a moving average of the last intervals, so that a pause shows.
public struct ProgressMeter: Sendable {
    private struct Sample {
        let seconds: Double
        let ledgers: Int
    }

    private var samples: [Sample] = []
    private var hasMoved = false
    private let keep: Int

    /// - Parameter keep: how many samples the average spans.
    public init(keep: Int = 30) { self.keep = max(2, keep) }

    /// Notes how many ledgers were committed in all at a time.
    /// - Parameters:
    ///   - seconds: since any fixed moment.
    ///   - ledgers: committed since the run began.
    public mutating func note(seconds: Double, ledgers: Int) {
        // The time before the first commit, when workers are started, says nothing about the speed.
        if !hasMoved, let first = samples.first, first.ledgers == ledgers, samples.count > 1 { samples.removeFirst() }
        if let first = samples.first, first.ledgers != ledgers { hasMoved = true }
        samples.append(Sample(seconds: seconds, ledgers: ledgers))
        if samples.count > keep { samples.removeFirst(samples.count - keep) }
    }

    /// Ledgers per second over the samples; nil before there are two.
    public var rate: Double? {
        guard let first = samples.first, let last = samples.last, last.seconds > first.seconds else { return nil }
        return Double(last.ledgers - first.ledgers) / (last.seconds - first.seconds)
    }

    /// Seconds until `left` ledgers are done; nil while nothing moves.
    public func eta(left: Int) -> Double? {
        guard let rate, rate > 0 else { return nil }
        return Double(left) / rate
    }
}
