public import ArgumentParser
import ConnectionOptions
import Coordinator
import Foundation
import Operations
import PostgreSQL
import Store

/// `wallet-backend protocol-migrate status`.
public struct StatusCommand: AsyncParsableCommand {
    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how far the migrations of all protocols are, who runs them, and how fast.",
        discussion: """
            Asks the database only, writes nothing, and holds nobody up. Where a migration is running, it looks at its cursor for about three seconds to tell \
            its speed: where a slow database commits less often than that, it says 'no move'. BEHIND counts ledgers up to the latest ingested one, ABOUT \
            is that in time, at five seconds a ledger.

            Exit status: 0 done, 1 the database cannot be asked or has no such tables, 64 usage.
            """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var cursorNames: CursorNameOptions
    @Option(name: HistoryCommand.network.name, help: HistoryCommand.network.help) var network: String?
    @Flag(name: .customLong("json"), help: "One JSON document instead of the table.") var json = false
    @Flag(name: .customLong("watch"), help: "Look again every two seconds until Ctrl-C; with --json one line for each look.")
    var watch = false
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    private static let pause = Duration.seconds(2)

    /// Looks, and says what it saw.
    public func run() async throws {
        let environment = try file.environment()
        let observer = try UsageError.reported {
            StatusObserver(
                database: try databaseOptions.resolve(environment: environment).parsed,
                names: try cursorNames.resolve(environment: environment),
                network: try HistoryCommand.network.resolveIfGiven(network, environment: environment))
        }
        guard watch else {
            let status = await observer.lookForAWhile()
            Output.write(json ? status.json.line : status.text)
            if !status.problems.isEmpty { throw ExitStatus.failure.exitCode }
            return
        }
        while true {
            let status = await observer.look()
            if json {
                Output.write(status.json.line)
            } else {
                let text = "\(Self.clock(status.time))\n\(status.text)"
                // Over what was there before: up, each line to its end, and what is left below.
                Output.write(
                    Output.isTerminal ? "\u{1B}[H" + text.replacing("\n", with: "\u{1B}[K\n") + "\u{1B}[K\u{1B}[J" : text + "\n")
            }
            try await Task.sleep(for: Self.pause)
        }
    }

    private static func clock(_ time: Double) -> String {
        let seconds = Int(time) % 86_400
        return String(format: "%02d:%02d:%02d UTC, every 2 s, Ctrl-C ends", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// Looks at a database again and again, and remembers where cursors stood.
actor StatusObserver {
    private let database: ConnectionString
    private let names: CursorNames
    private let network: String?
    private var connection: PostgresConnection?
    private var speeds: [String: CursorSpeed] = [:]
    private let began = ContinuousClock.now

    /// How long a single call of the command watches cursors that should move, and how often it looks.
    private static let patience = Duration.seconds(3)
    private static let interval = Duration.milliseconds(250)

    init(database: ConnectionString, names: CursorNames, network: String?) {
        self.database = database
        self.names = names
        self.network = network
    }

    /// One look.
    func look() async -> MigrationStatus {
        let result: Result<MigrationOverview, StoreError>
        do throws(StoreError) {
            let open = try await connected()
            result = .success(try await MigrationOverview.read(names: names, network: network, on: open))
        } catch {
            await connection?.close()
            connection = nil
            result = .failure(error)
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        if case .success(let overview) = result {
            for record in overview.records {
                note(CursorNames.history(record.id), record.history.cursor, seconds)
                note(CursorNames.currentState(record.id), record.currentState.cursor, seconds)
            }
        }
        return MigrationStatus(
            time: Date().timeIntervalSince1970, database: database.redacted, network: network, names: names, result, speeds: speeds)
    }

    /// Looks several times where a migration is running, so that its speed shows.
    func lookForAWhile() async -> MigrationStatus {
        var status = await look()
        let deadline = ContinuousClock.now + Self.patience
        while status.problems.isEmpty, status.entries.contains(where: { $0.migrations.contains(where: \.isMoving) }),
            ContinuousClock.now < deadline, !Task.isCancelled
        {
            try? await Task.sleep(for: Self.interval)
            status = await look()
        }
        await connection?.close()
        return status
    }

    private func connected() async throws(StoreError) -> PostgresConnection {
        if let connection { return connection }
        let fresh = try await InspectionSession.open(database, for: "status")
        connection = fresh
        return fresh
    }

    private func note(_ key: String, _ cursor: CursorReading, _ seconds: Double) {
        if let ledger = cursor.number { speeds[key, default: CursorSpeed()].look(at: seconds, ledger: ledger) }
    }
}
