import Logging
import Synchronization

/// Remembers what was logged.
struct LogRecorder: LogHandler {
    struct Line: Sendable {
        var level: Logger.Level
        var text: String
        var metadata: [String: String]
    }

    private final class Store: Sendable {
        let lines = Mutex<[Line]>([])
    }

    private let store = Store()
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()

    var lines: [Line] { store.lines.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = Line(level: event.level, text: "\(event.message)", metadata: (event.metadata ?? [:]).mapValues { "\($0)" })
        store.lines.withLock { $0.append(line) }
    }
}
