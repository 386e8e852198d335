import Foundation
import Synchronization

/// A clock on the wall that stands still until it is set.
final class ManualTime: Sendable {
    private let date: Mutex<Date>

    /// - Parameter text: such as 2026-01-31T23:59:59Z.
    init(_ text: String = "2026-01-31T12:00:00Z") {
        date = Mutex((try? Date(text, strategy: .iso8601)) ?? .distantPast)
    }

    var now: Date { date.withLock { $0 } }

    func advance(by seconds: TimeInterval) { date.withLock { $0 += seconds } }

    /// `seconds` from now, as credential services write it.
    func text(in seconds: TimeInterval) -> String { (now + seconds).formatted(.iso8601) }
}
