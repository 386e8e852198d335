import Logging
import Synchronization

/// Keeps what is logged.
final class LogRecorder: Sendable {
    private let kept = Mutex<[String]>([])

    /// Level, message and metadata of each.
    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let more = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            recorder.kept.withLock { $0.append("\(event.level) \(event.message)\(more)") }
        }
    }
}
