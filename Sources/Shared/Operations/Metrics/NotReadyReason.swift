internal import Synchronization

/// Why a process cannot do its work yet: one task sets it, `/readyz` shows it.
public final class NotReadyReason: Sendable {
    private let stored: Mutex<String?>

    /// Not ready, for this reason.
    public init(_ reason: String) { stored = Mutex(reason) }

    /// The reason; nil once the process is ready.
    public var value: String? { stored.withLock { $0 } }

    /// Sets another reason, or none.
    public func set(_ reason: String?) { stored.withLock { $0 = reason } }

    /// The answer to `/readyz`.
    public var readiness: Readiness { value.map { .notReady([$0]) } ?? .ready }
}
