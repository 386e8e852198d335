package import Logging
import Synchronization

/// Keeps what is logged.
package final class LogRecorder: Sendable {
    package struct Line: Sendable, CustomStringConvertible {
        package var level: Logger.Level
        package var text: String
        package var metadata: [String: String]

        /// All of it, on one line.
        package var description: String {
            "\(level) \(text)" + metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        }
    }

    private let kept = Mutex<[Line]>([])

    package init() {}

    package var lines: [Line] { kept.withLock { $0 } }

    package var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(level: event.level, text: "\(event.message)", metadata: (event.metadata ?? [:]).mapValues { "\($0)" })
            recorder.kept.withLock { $0.append(line) }
        }
    }
}
