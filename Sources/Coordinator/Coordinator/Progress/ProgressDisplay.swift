import Glibc
import Logging
package import Operations

/// How an operator sees the progress of a run.
package enum ProgressStyle: String, CaseIterable, Sendable {
    /// A live block where standard error is a terminal and the log is meant for people, lines otherwise.
    case auto
    /// A line of the log every ten seconds.
    case plain
    /// Nothing.
    case none

    /// Whether there is to be a live block.
    func isLive(_ format: LogFormat) -> Bool { self == .auto && format != .json && Terminal.isForPeople(STDERR_FILENO) }
}

/// Tells the operator how far the run is, how fast it goes and when it will be there: a live block below the log of a terminal, or a line of the log
/// every ten seconds.
struct ProgressDisplay: Sendable {
    enum Form: Sendable { case block, lines, nothing }

    private let form: Form
    private let logger: Logger
    private let style: TextStyle
    private var ticks = 0

    /// The first line comes early: at the beginning an operator watches.
    private static let firstTick = 2
    private static let ticksPerLine = 10
    private static let ticksPerTipLine = 30

    init(_ form: Form, style: TextStyle = TextStyle(environment: ProcessEnvironment.current), logger: Logger) {
        self.form = form
        self.style = style
        self.logger = logger
    }

    /// A second went by.
    mutating func tick(_ status: RunStatus) {
        ticks += 1
        if form == .block { draw(status) }
        if form != .nothing, status.phase == .round, status.fetchers.isEmpty, ticks % 5 == 0 {
            logger.warning("no fetcher is registered", metadata: ["round": "\(status.round?.number ?? 0)"])
        }
        guard form == .lines, ticks == Self.firstTick || ticks % Self.ticksPerLine == 0 else { return }
        switch status.phase {
        case .round: logProgress(status)
        case .halting: logger.info("waiting for the writer to finish its transaction")
        case .waitingForWriter: logger.info("waiting for a writer that is connected to the database")
        case .atTip: if ticks % Self.ticksPerTipLine == 0 { logTip(status) }
        default: break
        }
    }

    /// The run is over: what came of it, in lines of the log or as a last block that stays.
    func end(_ status: RunStatus) {
        if form == .block { StandardError.show(footer: []) }
        let seconds = max(0.001, status.now - status.started)
        for one in status.protocols {
            logger.notice(
                "result",
                metadata: [
                    "protocol": "\(one.id)", "outcome": "\(one.outcome ?? "STOPPED")", "migrated_through": "\(one.cursor)",
                    "rows": "\(one.rows)",
                ])
        }
        guard form != .nothing else { return }
        logger.notice(
            "migration over",
            metadata: [
                "seconds": "\(Text.decimal(seconds))", "ledgers": "\(status.committedLedgers)",
                "rows": "\(status.protocols.reduce(0) { $0 + $1.rows })",
                "rate": "\(Text.decimal(Double(status.committedLedgers) / seconds)) ledgers/s",
            ])
    }

    private func draw(_ status: RunStatus) {
        let size = Terminal.size(STDERR_FILENO)
        let block = ProgressBlock(columns: size.columns, rows: size.rows, style: style)
        StandardError.show(footer: block.lines(status))
    }

    private func logProgress(_ status: RunStatus) {
        guard let round = status.round else { return }
        logger.info(
            "progress",
            metadata: [
                "round": "\(round.number)", "percent": "\(Text.decimal(100 * Double(round.done) / Double(max(1, round.ledgers))))",
                "ledgers": "\(round.done)/\(round.ledgers)", "rate": "\(Text.decimal(status.ledgersPerSecond)) ledgers/s",
                "rows": "\(status.protocols.reduce(0) { $0 + $1.rows })", "fetchers": "\(status.fetchers.count)",
                "window": "\(status.stages.reorder.window)", "limit": "\(status.stages.bottleneck?.rawValue ?? "none")",
                "eta": "\(status.etaSeconds.map { Text.clock($0) } ?? "unknown")",
            ])
    }

    private func logTip(_ status: RunStatus) {
        let waiting = status.protocols.filter { $0.outcome == nil }
        logger.info(
            "waiting at the tip",
            metadata: [
                "protocols": "\(waiting.map(\.id).joined(separator: " "))", "cursor": "\(waiting.map(\.cursor).min() ?? 0)",
                "live_ingestion": "\(status.liveIngestion)", "network_tip": "\(status.networkTip.map(String.init) ?? "unknown")",
            ])
    }
}

/// The progress of a run as a few lines of a terminal: pure, so that a test sees what an operator sees.
package struct ProgressBlock: Sendable {
    let columns: Int
    let rows: Int
    let style: TextStyle

    /// - Parameters:
    ///   - columns: of the terminal.
    ///   - rows: of the terminal.
    package init(columns: Int, rows: Int, style: TextStyle) {
        self.columns = columns
        self.rows = rows
        self.style = style
    }

    private static let barColumns = 24
    private static let maxFetchers = 8

    package func lines(_ status: RunStatus) -> [TerminalLine] {
        var lines = [headline(status)] + status.protocols.map { line($0) }
        if status.phase == .round {
            lines.append(stages(status.stages))
            let shown = max(0, min(Self.maxFetchers, rows - lines.count - 4))
            let fetchers = status.fetchers.count > shown ? Array(status.fetchers.prefix(max(0, shown - 1))) : status.fetchers
            lines += fetchers.map { line($0) }
            let hidden = status.fetchers.count - fetchers.count
            if hidden > 0 { lines.append(TerminalLine("  and \(hidden) more")) }
        }
        // A block that fills the screen would leave no room for the log.
        return lines.prefix(max(1, rows - 2)).map { $0.cut(to: columns - 1) }
    }

    private func headline(_ status: RunStatus) -> TerminalLine {
        let words: String =
            switch status.phase {
            case .validating: "looking at the database and the source of ledgers"
            case .rebuilding: "deleting the rows of a history that begins again"
            case .waitingForWriter: "waiting for a writer that is connected to the database"
            case .round: "round \(status.round?.number ?? 0) to ledger \(Text.number(status.round?.target ?? 0))"
            case .atTip: "caught up, waiting for the next ledger or for live ingestion, which is \(status.liveIngestion)"
            case .halting: "waiting for the writer to finish its transaction"
            case .stopping: "stopping: the writer finishes its transaction"
            case .ended: "ended"
            }
        return TerminalLine("migration \(status.run), \(Text.clock(status.now - status.started)): \(words)", style.dim)
    }

    private func line(_ one: RunStatus.ProtocolStatus) -> TerminalLine {
        let part = one.total > 0 ? min(1, Double(one.done) / Double(one.total)) : 1
        var line = TerminalLine()
        line.add(Text.padded(one.id, 7), style.bold)
        line.add(bar(part))
        line.add(Text.padded(Text.decimal(100 * part), 6, left: true) + " %", style.bold)
        line.add("  \(Text.number(one.done))/\(Text.number(one.total)) ledgers")
        if let outcome = one.outcome {
            line.add("  \(outcome)", style.bold)
            if let cause = one.cause { line.add("  \(cause)") }
        } else {
            line.add("  \(Text.number(rounding: one.ledgersPerSecond))/s")
            if let left = one.etaSeconds, left > 0 { line.add("  \(Text.clock(left)) left", style.bold) }
        }
        line.add("  \(Text.number(one.rows)) rows")
        return line
    }

    private func bar(_ part: Double) -> String {
        let (full, empty) = style.isPlain ? ("#", ".") : ("━", "╌")
        let filled = Int((part * Double(Self.barColumns)).rounded(.down))
        return String(repeating: full, count: filled) + String(repeating: empty, count: Self.barColumns - filled)
    }

    private func stages(_ stages: RunStatus.Stages) -> TerminalLine {
        var line = TerminalLine("  ")
        let limit = stages.bottleneck
        line.add("wait \(milliseconds(stages.fetch.millisecondsPerLedger))", limit == .fetch ? style.bold : "")
        line.add(", ")
        line.add(
            "decode \(milliseconds(stages.decode.millisecondsPerLedger)) (\(Text.percent(stages.decode.busy)))",
            limit == .decode ? style.bold : "")
        line.add(", reorder \(Text.number(stages.reorder.ledgers)) ledgers (\(Text.bytes(stages.reorder.bytes))), ")
        line.add(
            "commit \(milliseconds(stages.commit.millisecondsPerTransaction)) (\(Text.percent(stages.commit.busy)))",
            limit == .commit ? style.bold : "")
        if let limit { line.add("; \(limit == .fetch ? "the source" : limit.rawValue) limits") }
        return line
    }

    private func milliseconds(_ value: Double?) -> String { value.map { "\(Text.decimal($0)) ms" } ?? "-" }

    private func line(_ fetcher: RunStatus.Fetcher) -> TerminalLine {
        var line = TerminalLine("  ")
        line.add(Text.padded("fetcher-\(fetcher.worker)", 12))
        line.add(Text.padded(Text.number(rounding: fetcher.ledgersPerSecond), 6, left: true) + " ledgers/s")
        line.add(
            "  \(fetcher.batches) batches, wait \(milliseconds(fetcher.fetchMilliseconds)), decode \(milliseconds(fetcher.decodeMilliseconds))"
        )
        if fetcher.retries > 0 { line.add(", \(Text.number(fetcher.retries)) retries") }
        if fetcher.silentSeconds > 2 { line.add(", silent for \(fetcher.silentSeconds) s", style.bold) }
        return line
    }
}
