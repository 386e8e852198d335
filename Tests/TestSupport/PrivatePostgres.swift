internal import Foundation
public import PostgreSQL
internal import Synchronization

/// A PostgreSQL server of the tests' own: in a temporary folder, reachable only through a socket in it, gone with the process.
///
/// A small shell process stands between the tests and the server. It holds the read end of a pipe that ends when the test process ends, however
/// that happens; then it stops the server and removes the folder.
public actor PrivatePostgres {
    /// How the server is stopped.
    public enum StopMode: String, Sendable {
        /// Sessions are ended, then the server shuts down in good order.
        case fast
        /// As in a crash: no farewell, recovery at the next start.
        case immediate
    }

    /// What went wrong with the server itself.
    public struct Failure: Error, CustomStringConvertible {
        /// The step, with the end of the server's log.
        public let description: String
    }

    /// In every connection string that this server hands out (it lets everyone in): no text that a test sees may contain it.
    public static let password = "never-to-be-shown"

    private static let sharedStart = Task { try await PrivatePostgres.start() }
    private static let timescaleStart = Task { try await PrivatePostgres.start(timescale: true) }
    private static let databaseNumbers = NumberSequence()
    private static let creations = Turns(2)

    private let timescale: Bool
    private let thread: ConnectionThread
    private let folder: String
    private let commands: FileHandle
    private let replies: FileHandle
    private var unread: [UInt8] = []

    /// Its own thread: starting a server is slow and blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The server that all tests of this process share, started at the first call. Tests that stop or kill a server start one of their own.
    public static func shared() async throws -> PrivatePostgres {
        try await sharedStart.value
    }

    /// Whether the server's programs come with TimescaleDB. Debian does not have it.
    public static let hasTimescale: Bool = {
        guard let programs = try? programFolder(), let version = programs.split(separator: "/").dropLast().last else { return false }
        return FileManager.default.fileExists(atPath: "/usr/share/postgresql/\(version)/extension/timescaledb.control")
    }()

    /// The server with TimescaleDB that all tests of this process share; each of its databases has the extension.
    public static func timescale() async throws -> PrivatePostgres {
        try await timescaleStart.value
    }

    /// Makes and starts a new server.
    /// - Parameters:
    ///   - timescale: it has TimescaleDB, and so has every database of `withDatabase`.
    ///   - settings: further lines of postgresql.conf.
    public static func start(timescale: Bool = false, settings: [String] = []) async throws -> PrivatePostgres {
        let server = try PrivatePostgres(timescale, settings)
        try await server.expectReply("initdb")
        try await server.start()
        return server
    }

    private init(_ timescale: Bool, _ settings: [String]) throws {
        self.timescale = timescale
        let isRoot = getuid() == 0
        // The path of a socket has at most 107 bytes; and the server's user, who is not root, must be able to get there.
        let temporary = FileManager.default.temporaryDirectory.path
        let parent = isRoot || temporary.utf8.count > 50 ? "/tmp" : temporary
        folder = "\(parent)/pg-\(UUID().uuidString.prefix(13).lowercased())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let owner = isRoot ? (getpwnam("postgres") == nil ? "nobody" : "postgres") : ""
        let supervisor = Process()
        // In a session of its own, so that signals to the tests' process group do not end it before it has cleaned up.
        supervisor.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        supervisor.arguments = [
            "setsid", "sh", "-c", PrivatePostgres.script, "sh", folder, try PrivatePostgres.programFolder(), owner,
            ((timescale ? ["shared_preload_libraries = timescaledb", "timescaledb.telemetry_level = off"] : []) + settings)
                .joined(separator: "\n"),
        ]
        let input = Pipe()
        let output = Pipe()
        supervisor.standardInput = input
        supervisor.standardOutput = output
        try supervisor.run()
        try? input.fileHandleForReading.close()
        try? output.fileHandleForWriting.close()
        commands = input.fileHandleForWriting
        replies = output.fileHandleForReading
        thread = ConnectionThread(name: "private-postgres")
    }

    deinit {
        // The supervisor sees the end of its input and cleans up.
        try? commands.close()
        thread.stop()
    }

    /// How to reach a database of this server.
    public nonisolated func address(ofDatabase name: String = "postgres") throws -> ConnectionString {
        try ConnectionString("host=\(folder) user=postgres password=\(Self.password) dbname=\(name)")
    }

    /// The same as text with everything in it, to be handed to a program.
    public nonisolated func addressText(of database: ConnectionString) throws -> String {
        "host=\(folder) user=postgres password=\(Self.password) dbname=\(database.databaseName ?? "postgres")"
    }

    /// Makes a database, lends it to the body and drops it, ending what is still connected to it.
    public nonisolated func withDatabase<Value: Sendable>(_ body: (ConnectionString) async throws -> Value) async throws -> Value {
        let name = "test_\(Self.databaseNumbers.next())"
        let administrator = try await Self.creations.taking { try await create(name) }
        do {
            let value = try await body(try address(ofDatabase: name))
            // The body may have had the server restarted.
            let administrator = try await PostgresConnection.connect(address(), applicationName: "tests")
            try await administrator.query("DROP DATABASE \(name) WITH (FORCE)")
            return value
        } catch {
            // The server may be gone: the body's error is what matters.
            _ = try? await administrator.query("DROP DATABASE \(name) WITH (FORCE)")
            throw error
        }
    }

    private nonisolated func create(_ name: String) async throws -> PostgresConnection {
        let administrator = try await PostgresConnection.connect(address(), applicationName: "tests")
        try await administrator.query("CREATE DATABASE \(name)")
        if timescale {
            let owner = try await PostgresConnection.connect(address(ofDatabase: name), applicationName: "tests")
            try await owner.query("CREATE EXTENSION timescaledb")
            await owner.close()
        }
        return administrator
    }

    /// Starts the server again after `stop` or `kill`; returns when it accepts connections.
    public func start() throws { try tell("start") }

    /// Stops the server; returns when it is down.
    public func stop(_ mode: StopMode) throws { try tell("stop \(mode.rawValue)") }

    /// SIGKILL to the server's main process.
    public func kill() throws { try tell("kill") }

    /// SIGSTOP to the server's main process and all others of it: connections stay, and new ones are accepted by the kernel, but nothing responds.
    /// Returns when each of them is seen to be stopped.
    public func pause() throws { try tell("pause") }

    /// Lets the server go on after `pause`.
    public func resume() throws { try tell("resume") }

    /// Makes a standby of the server, as a failover does with an old primary: a restart, after which it takes no writes.
    public func demote() throws { try tell("demote") }

    /// Makes a primary of it again.
    public func promote() throws { try tell("promote") }

    private func tell(_ command: String) throws {
        try commands.write(contentsOf: Data((command + "\n").utf8))
        try expectReply(command)
    }

    private func expectReply(_ step: String) throws {
        var line: [UInt8] = []
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                line = Array(unread[..<end])
                unread.removeSubrange(...end)
                break
            }
            let more = replies.availableData
            guard !more.isEmpty else { break }
            unread += more
        }
        guard line == Array("ok".utf8) else {
            let log = ["setup.log", "log"].compactMap { try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }.joined()
            throw Failure(description: "private PostgreSQL in \(folder): '\(step)' failed; its log ends with:\n\(log.suffix(2000))")
        }
    }

    private static func programFolder() throws -> String {
        let installed = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: installed)) ?? []).compactMap { Int($0) }.sorted(by: >)
        let onPath = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in versions.map({ "\(installed)/\($0)/bin" }) + onPath
        where FileManager.default.isExecutableFile(atPath: folder + "/initdb")
            && FileManager.default.isExecutableFile(atPath: folder + "/pg_ctl")
        {
            return folder
        }
        throw Failure(
            description: "no PostgreSQL server programs (initdb, pg_ctl) under \(installed) or on PATH: install Debian's postgresql")
    }

    /// Arguments: folder, folder of the programs, user to run the server as (empty: the caller), further lines of postgresql.conf.
    private static let script = """
        folder=$1; programs=$2; owner=$3; settings=$4
        trap '' INT TERM HUP PIPE
        paused=
        cd "$folder" || exit 1
        if [ -n "$owner" ]; then chown "$owner" "$folder"; fi
        as_owner() {
            if [ -n "$owner" ]; then
                setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- "$@"
            else
                "$@"
            fi >>setup.log 2>&1 </dev/null
        }
        start() {
            # After a kill the last backends may still be on their way out: the new server refuses to start beside them.
            tries=0
            until as_owner "$programs/pg_ctl" -D data -l log -w -t 120 start; do
                tries=$((tries + 1))
                if [ $tries -ge 100 ]; then return 1; fi
                sleep 0.1
            done
        }
        reply() { if "$@"; then echo ok; else echo failed; fi; }
        processes() {
            main=$(head -n 1 data/postmaster.pid) && echo "$main" $(cat "/proc/$main/task/$main/children")
        }
        stopped() {
            case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
                T*|'') return 0 ;;
                *) return 1 ;;
            esac
        }
        stop_process() {
            paused="$paused $1"
            kill -STOP "$1" 2>/dev/null
            tries=0
            until stopped "$1"; do
                tries=$((tries + 1))
                if [ $tries -ge 600 ]; then return 1; fi
                sleep 0.05
            done
        }
        pause() {
            # The main process first: it starts no further ones then. The list of the others may miss some while others end: it is read until nobody
            # in it runs.
            stop_process "$(head -n 1 data/postmaster.pid)" || return 1
            running=yes
            while [ -n "$running" ]; do
                running=
                for process in $(processes); do
                    stopped "$process" || { running=yes; stop_process "$process" || return 1; }
                done
            done
        }
        resume() {
            # Those that were stopped, not those that are listed now. One may have ended: that is no failure.
            for process in $paused; do kill -CONT "$process" 2>/dev/null; done
            paused=
        }
        demote() {
            as_owner "$programs/pg_ctl" -D data -w -t 120 -m fast stop && as_owner touch data/standby.signal && start
        }
        make() {
            as_owner "$programs/initdb" -D data -U postgres --auth=trust --no-sync --no-instructions -E UTF8 --locale=C || return 1
            cat >>data/postgresql.conf <<END
        listen_addresses = ''
        unix_socket_directories = '$folder'
        fsync = off
        full_page_writes = off
        shared_buffers = 64MB
        max_connections = 1000
        $settings
        END
        }
        reply make
        while read -r command argument; do
            case $command in
                start) reply start ;;
                stop) reply as_owner "$programs/pg_ctl" -D data -w -t 120 -m "$argument" stop ;;
                pause) reply pause ;;
                resume) reply resume ;;
                demote) reply demote ;;
                promote) reply as_owner "$programs/pg_ctl" -D data -w -t 120 promote ;;
                kill) reply kill -9 "$(head -n 1 data/postmaster.pid)" ;;
                *) echo unknown ;;
            esac
        done
        resume
        as_owner "$programs/pg_ctl" -D data -w -t 60 -m immediate stop
        cd /
        rm -rf "$folder"
        """
}

/// Lets a few do something at a time. Hundreds of tests begin at once, and each wants a database: all made together, they leave the server no time to
/// accept connections.
private actor Turns {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func taking<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
        defer { if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() } }
        return try await body()
    }
}

/// 1, 2, 3, ... for names that must differ within a process.
private final class NumberSequence: Sendable {
    private let last = Mutex(0)

    func next() -> Int {
        last.withLock { number in
            number += 1
            return number
        }
    }
}
