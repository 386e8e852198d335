internal import Dispatch
internal import Glibc
internal import Synchronization

/// Standard error, line by line, without ever waiting for whoever reads it.
///
/// A thread of its own writes. Where the reader is slower than the process logs, up to 1 MiB waits; lines beyond that are dropped and counted, and the
/// count is logged once there is room again. What waits when the process ends in order gets a second to go out.
public enum StandardError {
    private static let writer: LineWriter = {
        atexit { _ = StandardError.flush(within: .seconds(1)) }
        return LineWriter(descriptor: STDERR_FILENO)
    }()

    /// Queues a line, given without its line feed. A line of up to PIPE_BUF (4096) bytes is written whole: no other process's comes between its
    /// bytes. What the system does not take (the reader is gone) is lost: a process must not fail for its logs.
    public static func write(line: String) {
        writer.write(line)
    }

    /// Keeps these lines below all others, in the place of those that were shown there before; none take the block away. For a terminal only.
    public static func show(footer lines: [TerminalLine]) {
        writer.show(footer: lines)
    }

    /// Waits until everything so far has been written; false where that took longer than `limit`.
    @discardableResult
    public static func flush(within limit: Duration) -> Bool {
        writer.flush(within: limit)
    }

    /// How to say that lines were dropped, in the form of the other lines.
    static func reportLoss(as line: @escaping @Sendable (Int) -> String) {
        writer.reportLoss(as: line)
    }
}

/// Writes lines to a descriptor on a thread of its own; what waits is bounded in bytes.
package final class LineWriter: Sendable {
    private enum Entry {
        case line([UInt8])
        /// Lines that were dropped at this place.
        case loss(Int)
        case mark(DispatchSemaphore)
        /// The block at the bottom of the terminal has changed.
        case footer
    }

    private struct State {
        var entries: [Entry] = []
        /// In lines that wait or are being written.
        var bytes = 0
        /// Since the last line that was taken.
        var dropped = 0
        var isSignalled = false
        /// Without a thread the callers write, as well as they can.
        var hasThread = true
        /// What is to stand below the last line.
        var footer: [TerminalLine] = []
    }

    private let descriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let lossLine = Mutex<@Sendable (Int) -> String>({
        "level=warning msg=\"log lines were dropped: standard error was not read fast enough\" dropped=\($0)"
    })

    /// - Parameters:
    ///   - descriptor: stays open for as long as the process lives.
    ///   - capacity: bytes that may wait. A longer line is taken where nothing else waits.
    package init(descriptor: Int32, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
        if !SystemThread.start("log-writer", { [self] in run() }) { state.withLock { $0.hasThread = false } }
    }

    package func write(_ line: String) {
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        let mustWrite = state.withLock { state in
            guard state.hasThread else { return true }
            guard state.bytes == 0 || state.bytes + bytes.count <= capacity else {
                state.dropped += 1
                return false
            }
            if state.dropped > 0 { state.entries.append(.loss(state.dropped)) }
            state.dropped = 0
            state.entries.append(.line(bytes))
            state.bytes += bytes.count
            signal(&state)
            return false
        }
        if mustWrite { writeWhole(bytes) }
    }

    package func show(footer lines: [TerminalLine]) {
        state.withLock { state in
            guard state.hasThread, state.footer != lines else { return }
            state.footer = lines
            state.entries.append(.footer)
            signal(&state)
        }
    }

    package func flush(within limit: Duration) -> Bool {
        let done = DispatchSemaphore(value: 0)
        let mustWait = state.withLock { state in
            guard state.hasThread else { return false }
            state.entries.append(.mark(done))
            signal(&state)
            return true
        }
        return !mustWait || done.wait(timeout: .now() + limit / .seconds(1)) == .success
    }

    package func reportLoss(as line: @escaping @Sendable (Int) -> String) {
        lossLine.withLock { $0 = line }
    }

    private func signal(_ state: inout State) {
        if !state.isSignalled { work.signal() }
        state.isSignalled = true
    }

    private func run() {
        var shown: [TerminalLine] = []
        while true {
            work.wait()
            while let entries = take() {
                let footer = state.withLock { $0.footer }
                if !shown.isEmpty || !footer.isEmpty {
                    writeAbove(&shown, footer, entries)
                    continue
                }
                for entry in entries {
                    switch entry {
                    case .line(let bytes):
                        writeWhole(bytes)
                        state.withLock { $0.bytes -= bytes.count }
                    case .loss(let count):
                        writeWhole(Array(lossLine.withLock { $0 }(count).utf8) + [UInt8(ascii: "\n")])
                    case .mark(let done): done.signal()
                    case .footer: break
                    }
                }
            }
        }
    }

    /// Takes the block away, writes what there is and draws the block below it, all in one piece: a terminal shows nothing in between.
    private func writeAbove(_ shown: inout [TerminalLine], _ footer: [TerminalLine], _ entries: [Entry]) {
        let columns = max(1, Terminal.size(descriptor).columns)
        // A terminal that has become narrower has broken its lines.
        let rows = shown.reduce(0) { $0 + max(1, ($1.columns + columns - 1) / columns) }
        var text = Array("\u{1B}[?2026h\r\(rows > 0 ? "\u{1B}[\(rows)A" : "")\u{1B}[J".utf8)
        var marks: [DispatchSemaphore] = []
        var written = 0
        for entry in entries {
            switch entry {
            case .line(let bytes):
                text += bytes
                written += bytes.count
            case .loss(let count): text += Array(lossLine.withLock { $0 }(count).utf8) + [UInt8(ascii: "\n")]
            case .mark(let done): marks.append(done)
            case .footer: break
            }
        }
        for line in footer { text += Array("\(line.rendered)\n".utf8) }
        text += Array("\u{1B}[?2026l".utf8)
        writeWhole(text)
        shown = footer
        state.withLock { $0.bytes -= written }
        for done in marks { done.signal() }
    }

    /// What waits; nil where nothing does.
    private func take() -> [Entry]? {
        state.withLock { state in
            if state.entries.isEmpty, state.dropped > 0 {
                state.entries.append(.loss(state.dropped))
                state.dropped = 0
            }
            state.isSignalled = !state.entries.isEmpty
            defer { state.entries = [] }
            return state.entries.isEmpty ? nil : state.entries
        }
    }

    private func writeWhole(_ bytes: [UInt8]) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count > 0 {
                written += count
            } else if count < 0, errno == EAGAIN {
                // Somebody who shares the pipe has made it non-blocking.
                var pipe = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&pipe, 1, -1)
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }
}
