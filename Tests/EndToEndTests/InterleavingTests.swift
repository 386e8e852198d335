import Foundation
import Testing

/// The promise that the model explores, with the real processes and a real PostgreSQL: random stories, each from a seed that is printed.
///
/// `INTERLEAVING_RUNS` is the number of stories (a few, unless given; `make test-long` tells two hundred), `INTERLEAVING_SEED` the seed of the first.
@Suite(.serialized, .timeLimit(.minutes(80))) struct InterleavingTests {
    private static let few = 4
    /// Stories told at the same time: they mostly wait.
    private static let abreast = 3

    @Test(arguments: [false, true]) func whateverDiesAndHoweverTheyMeetTheRowsAreThoseOfTheLedgers(hasRival: Bool) async throws {
        let environment = ProcessInfo.processInfo.environment
        let runs = environment["INTERLEAVING_RUNS"].flatMap { Int($0) } ?? Self.few
        let first = environment["INTERLEAVING_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999_999)
        print("interleaving: \(runs) stories \(hasRival ? "with two migrations " : "")from INTERLEAVING_SEED=\(first) on")
        try await Fixture.withMade(seed: 23, count: 110, events: 1) { fixture in
            try await withThrowingTaskGroup(of: String.self) { group in
                for index in 0..<runs {
                    if index >= Self.abreast, let line = try await group.next() { print(line) }
                    group.addTask {
                        try await Interleaving(seed: first &+ UInt64(index), fixture: fixture, hasRival: hasRival).run()
                    }
                }
                while let line = try await group.next() { print(line) }
            }
        }
    }
}
