public import Pipeline

/// What one role of worker may send and receive: nothing else can be said over its link.
public protocol Channel: Sendable {
    /// From the worker to the coordinator.
    associatedtype Report: Sendable
    /// From the coordinator to the worker.
    associatedtype Command: Sendable

    /// The role.
    static var role: WorkerRole { get }
    /// A report as it goes over the wire.
    static func content(_ report: Report) -> WorkerContent
    /// The command in a message; nil where it is not for this role.
    static func command(_ content: CoordinatorContent) -> Command?
}

/// What fetchers and the coordinator say to each other.
public enum FetcherChannel: Channel {
    /// A fetcher.
    public static let role = WorkerRole.fetcher
    /// A fetcher's report.
    public static func content(_ report: FetcherMessage) -> WorkerContent { .fetcher(report) }
    /// A command to a fetcher.
    public static func command(_ content: CoordinatorContent) -> FetcherCommand? {
        if case .fetcher(let command) = content { command } else { nil }
    }
}

/// What the writer and the coordinator say to each other.
public enum WriterChannel: Channel {
    /// The writer.
    public static let role = WorkerRole.writer
    /// The writer's report.
    public static func content(_ report: WriterMessage) -> WorkerContent { .writer(report) }
    /// A command to the writer.
    public static func command(_ content: CoordinatorContent) -> WriterCommand? {
        if case .writer(let command) = content { command } else { nil }
    }
}
