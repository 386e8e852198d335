internal import Foundation

/// A thread of its own that runs the jobs of one actor, so that blocking calls never hold up the cooperative pool.
///
/// The actor calls `stop` in its deinit: no job can follow, and the thread ends.
package final class ConnectionThread: SerialExecutor, @unchecked Sendable {
    // All of the state below is guarded by `condition`.
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var stopped = false
    private let name: String

    /// Starts the thread.
    package init(name: String) {
        self.name = name
        // The thread owns the executor until it is stopped, so that a job that drops the actor's last reference can still finish.
        let thread = Thread { self.run() }
        thread.name = name
        thread.start()
    }

    /// Appends a job of the actor.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    /// Ends the thread after the jobs that it still has.
    package func stop() {
        condition.lock()
        stopped = true
        condition.signal()
        condition.unlock()
    }

    private func run() {
        while let batch = nextJobs() {
            for job in batch { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }

    private func nextJobs() -> [UnownedJob]? {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty {
            if stopped { return nil }
            condition.wait()
        }
        defer { jobs.removeAll() }
        return jobs
    }
}
