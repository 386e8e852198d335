/// How fast a cursor moves, from looks at it. A writer commits several times a second, or every few seconds: what counts is the time between moves.
package struct CursorSpeed: Sendable, Hashable {
    private struct Look: Hashable {
        let seconds: Double
        let ledger: UInt32
    }

    private var looks: [Look] = []
    /// Longer ago is of no interest.
    private static let window = 60.0

    /// Nothing seen yet.
    package init() {}

    /// Notes where the cursor stands at a time.
    package mutating func look(at seconds: Double, ledger: UInt32) {
        // Set back: what was before says nothing.
        if let last = looks.last, ledger < last.ledger { looks = [] }
        looks.append(Look(seconds: seconds, ledger: ledger))
        looks.removeAll { $0.seconds < seconds - Self.window }
    }

    /// Nil while it has not been seen to move.
    package var ledgersPerSecond: Double? {
        guard let first = looks.first, let last = looks.last, last.ledger > first.ledger else { return nil }
        let moves = zip(looks, looks.dropFirst()).filter { $0.ledger != $1.ledger }.map(\.1)
        let whole = Double(last.ledger - first.ledger) / max(last.seconds - first.seconds, 0.001)
        guard moves.count > 1, let from = moves.first, let to = moves.last else { return whole }
        let longest = zip(moves, moves.dropFirst()).map { $1.seconds - $0.seconds }.max() ?? 0
        // It stands for longer than ever between two moves: that counts, too.
        if last.seconds - to.seconds > 2 * longest { return whole }
        return Double(to.ledger - from.ledger) / (to.seconds - from.seconds)
    }
}
