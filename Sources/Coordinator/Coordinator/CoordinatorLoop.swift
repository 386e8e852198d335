import Pipeline

/// The coordinator's one loop of events, and all that it knows. Whatever is waited for, events go on being taken: workers keep their heartbeat and
/// get their batches, and a signal ends the waiting at once.
struct CoordinatorLoop {
    typealias Events = AsyncStream<CoordinatorEvent>.Iterator

    var state: RunState
    private var events: Events
    private var progress: ProgressLog
    private let desk: ControlDesk
    private let report: @Sendable (CoordinatorEvent) -> Void

    init(
        _ events: Events, _ state: RunState, _ progress: ProgressLog, _ desk: ControlDesk,
        report: @escaping @Sendable (CoordinatorEvent) -> Void
    ) {
        self.events = events
        self.state = state
        self.progress = progress
        self.desk = desk
        self.report = report
    }

    /// Takes events until the condition holds.
    mutating func until(_ holds: (RunState) -> Bool) async throws(RunStopped) {
        while !holds(state) {
            guard let event = await events.next(isolation: #isolation) else { throw .failure("the event loop ended") }
            try take(event)
        }
    }

    /// Asks the database, the RPC or the clock, and takes events until the answer is there.
    mutating func asking<Answer: Sendable>(_ question: @escaping @Sendable () async throws -> Answer) async throws(RunStopped) -> Answer {
        var events = events
        defer { self.events = events }
        return try await EventWait.answer(&events, report, to: question) { event throws(RunStopped) in try take(event) }
    }

    /// Begins a round of that many ledgers.
    mutating func begin(_ round: Round, ledgers: Int) {
        progress.begin(ledgers: ledgers)
        desk.begin(round, &state)
    }

    /// Lets the writer finish what it has under way.
    mutating func quiesce() async {
        desk.halt(&state)
        var ticks = 0
        while !state.writerStopped, state.roster.writer != nil, ticks < 30, let event = await events.next(isolation: #isolation) {
            if case .tick = event { ticks += 1 }
            // A second signal, or another worker's death, changes nothing any more.
            try? desk.take(event, &state)
        }
    }

    private mutating func take(_ event: CoordinatorEvent) throws(RunStopped) {
        try desk.take(event, &state)
        if case .tick = event {
            state.lookDue = true
            progress.tick(state)
        }
    }
}
