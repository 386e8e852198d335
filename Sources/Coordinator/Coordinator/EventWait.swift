/// Waiting for an answer while events go on being taken.
enum EventWait {
    /// Asks the database, the RPC or the clock in a child task; every event that comes meanwhile is taken: workers keep their heartbeat, and a
    /// signal ends the asking at once.
    static func answer<Answer: Sendable>(
        _ events: inout AsyncStream<CoordinatorEvent>.Iterator, _ report: @escaping @Sendable (CoordinatorEvent) -> Void,
        to question: @escaping @Sendable () async throws -> Answer, taking take: (CoordinatorEvent) throws(RunStopped) -> Void
    ) async throws(RunStopped) -> Answer {
        let result: Result<Answer, RunStopped> = await withTaskGroup(of: Result<Answer, any Error>.self) { group in
            group.addTask {
                defer { report(.answered) }
                do { return .success(try await question()) } catch { return .failure(error) }
            }
            defer { group.cancelAll() }
            while let event = await events.next(isolation: #isolation) {
                if case .answered = event { break }
                do throws(RunStopped) { try take(event) } catch { return .failure(error) }
            }
            switch await group.next() {
            case .success(let answer): return .success(answer)
            case .failure(let error): return .failure(error as? RunStopped ?? .failure("\(error)"))
            case nil: return .failure(.failure("a question went unanswered"))
            }
        }
        return try result.get()
    }
}
