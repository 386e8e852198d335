public import PostgreSQL
internal import Synchronization

/// What a test waited for in vain.
public struct NeverTrue: Error {
    /// The SQL condition.
    public let condition: String
    /// Its parameters.
    public let parameters: [String?]
}

extension PostgresConnection {
    /// Asks the server until an SQL condition is true; the pause between two questions is the server's. Throws `NeverTrue` after two minutes, and
    /// what `stillPossible` throws, which is asked before each pause.
    public func waitUntil(
        _ condition: String, _ parameters: [String?] = [], stillPossible: () throws -> Void = {}
    ) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(120))
        while try await query("SELECT (\(condition)) AS reached", parameters).first?["reached"] != "t" {
            try stillPossible()
            guard ContinuousClock.now < deadline else { throw NeverTrue(condition: condition, parameters: parameters) }
            try await query("SELECT pg_sleep(0.01)")
        }
    }

    /// Waits until the backend of another connection waits for a lock.
    public func waitUntilBlocked(backend pid: Int32) async throws {
        try await waitUntil("EXISTS (SELECT FROM pg_locks WHERE pid = $1::int AND NOT granted)", [String(pid)])
    }
}

/// What did not end within its time.
public struct NotInTime: Error, CustomStringConvertible {
    /// What was waited for.
    public let what: String
    /// The limit.
    public let limit: Duration
    /// For messages.
    public var description: String { "\(what): not within \(limit)" }
}

/// Waits for a body, for a limited time; then throws `NotInTime` and leaves the body behind, which may hang for good.
public func within<Value: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let shared = Waiter<Value>()
    return try await withCheckedThrowingContinuation { continuation in
        shared.waiter.withLock { $0 = continuation }
        Task {
            do { shared.end(.success(try await body())) } catch { shared.end(.failure(error)) }
        }
        Task {
            try await Task.sleep(for: limit)
            shared.end(.failure(NotInTime(what: what, limit: limit)))
        }
    }
}

/// Asks until a condition is true, with a short pause between two questions; throws `NotInTime`, and what the condition throws.
public func until(_ limit: Duration, _ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime(what: what, limit: limit) }
        try await Task.sleep(for: .milliseconds(20))
    }
}

private final class Waiter<Value: Sendable>: Sendable {
    let waiter = Mutex<CheckedContinuation<Value, any Error>?>(nil)

    func end(_ result: Result<Value, any Error>) {
        let continuation = waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }
        continuation?.resume(with: result)
    }
}
