import Foundation
import NIOCore
import NIOPosix

/// Object stores that others wrote, as far as they are installed here. `Scripts/lake-servers.sh` installs them.
package enum LakeServers {
    /// The way to get what is missing.
    package static let hint = "Scripts/lake-servers.sh installs it and says what to set DATALAKE_PYTHON to"

    /// The python with the packages, of the environment in the folder `DATALAKE_PYTHON`. Another one may have them in versions that nobody has tried.
    package static let python: String? = {
        guard let given = ProcessInfo.processInfo.environment["DATALAKE_PYTHON"], !given.isEmpty else { return nil }
        let inside = "\(given)/bin/python"
        return FileManager.default.isExecutableFile(atPath: inside) ? inside : nil
    }()

    package static let hasMoto = has("moto", "boto3", "flask")
    package static let hasSwift = has("swift.proxy.server", "boto3") && hasAttributes
    package static let hasGCS = has("gcp_storage_emulator")
    package static let nginx = path(of: "nginx") ?? ["/usr/sbin/nginx"].first { FileManager.default.isExecutableFile(atPath: $0) }

    /// The package's own folder.
    package static let package = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardizedFileURL.path

    private static func path(of program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func has(_ modules: String...) -> Bool {
        guard let python else { return false }
        let wanted = modules.map { "u.find_spec('\($0)')" }.joined(separator: ",")
        return succeeds(python, ["-c", "import importlib.util as u,sys; sys.exit(0 if all([\(wanted)]) else 1)"])
    }

    /// OpenStack Swift keeps what it knows of an object in attributes of its file.
    private static var hasAttributes: Bool {
        guard let python else { return false }
        let script = "import os,tempfile; f=tempfile.NamedTemporaryFile(); os.setxattr(f.name,'user.x',b'1')"
        return succeeds(python, ["-c", script])
    }

    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// Runs a program to its end, for two minutes at most.
    @discardableResult
    package static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) async throws -> String {
        try await withFolder { folder in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
            process.arguments = ["120", program] + arguments
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            // A file, not a pipe: a server that is started meanwhile would inherit the pipe's other end, and keep it open.
            let file = "\(folder)/output"
            _ = FileManager.default.createFile(atPath: file, contents: nil)
            let output = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
            process.standardOutput = output
            process.standardError = output
            process.standardInput = FileHandle.nullDevice
            let status = try await end(of: process)
            try output.close()
            let text = try String(contentsOfFile: file, encoding: .utf8)
            guard status == 0 else { throw Failure(description: "\(program) \(arguments.first ?? "") (\(status)): \(text.suffix(2000))") }
            return text
        }
    }

    /// Starts a process and waits for its end.
    private static func end(of process: Process) async throws -> Int32 {
        try await withCheckedThrowingContinuation { waiter in
            process.terminationHandler = { waiter.resume(returning: $0.terminationStatus) }
            do { try process.runUnmasked() } catch { waiter.resume(throwing: error) }
        }
    }

    /// Whether a program ends well, asked before any test runs.
    private static func succeeds(_ program: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.runUnmasked()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    /// The first of `count` ports in a row that nobody listens on.
    package static func freePorts(_ count: Int = 1) async throws -> Int {
        for _ in 0..<100 {
            let first = Int.random(in: 20_000..<32_000)
            var open: [any Channel] = []
            for port in first..<(first + count) {
                guard
                    let channel = try? await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(
                        host: "127.0.0.1", port: port
                    ).get()
                else { break }
                open.append(channel)
            }
            for channel in open { try await channel.close() }
            if open.count == count { return first }
        }
        throw Failure(description: "no free ports")
    }
}

/// A server in a process of its own and a temporary folder, gone when `body` is over or this process ends, however it ends.
package struct RunningServer: Sendable {
    package let port: Int
    package let folder: String
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Ends the server with the pipe. What it may have inherited of other servers' pipes is closed first: it would keep those running.
    private static let supervisor = """
        for fd in /proc/$$/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
        sh -c "$1" > "$DIR/log" 2>&1 < /dev/null &
        read -r _
        trap '' TERM
        kill -TERM -- -$$
        wait
        """

    /// - Parameters:
    ///   - ports: so many in a row.
    ///   - command: for a shell; `$PORT` and `$DIR` are set.
    ///   - environment: further variables.
    package static func with<Value>(
        _ command: String, ports: Int = 1, environment: [String: String] = [:], files: [String: String] = [:],
        _ body: (RunningServer) async throws -> Value
    ) async throws -> Value {
        try await withFolder(files) { folder in
            let server = RunningServer(port: try await LakeServers.freePorts(ports), folder: folder)
            let process = Process()
            // In a session of its own, that ends with the pipe to this process.
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
            process.arguments = ["bash", "-c", supervisor, "supervisor", command]
            process.environment = ProcessInfo.processInfo.environment
                .merging(["PORT": "\(server.port)", "DIR": folder, "PYTHON": LakeServers.python ?? ""]) { $1 }.merging(environment) { $1 }
            let input = Pipe()
            process.standardInput = input
            let (ended, signal) = AsyncStream<Void>.makeStream()
            process.terminationHandler = { _ in signal.finish() }
            try process.runUnmasked()
            func stop() async {
                try? input.fileHandleForWriting.close()
                for await _ in ended {}
            }
            do {
                try await server.waitUntilUp(ports)
                let value = try await body(server)
                await stop()
                return value
            } catch {
                let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? ""
                await stop()
                throw LakeServers.Failure(description: "\(error)\n\(log.suffix(3000))")
            }
        }
    }

    /// A busy machine takes its time to start four Python programs.
    private func waitUntilUp(_ ports: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(240)
        for port in port..<(port + ports) {
            while true {
                let group = MultiThreadedEventLoopGroup.singleton
                if let channel = try? await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get() {
                    try await channel.close()
                    break
                }
                guard ContinuousClock.now < deadline else { throw LakeServers.Failure(description: "nobody listens on port \(port)") }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Runs Python text in the environment of the servers, with boto3's client `s3` for this server.
    @discardableResult
    package func boto3(_ text: String, environment: [String: String] = [:]) async throws -> String {
        let script = """
            import boto3, json, os, sys
            from botocore.config import Config
            def client(name, **more): return boto3.client(name, endpoint_url=os.environ["URL"], region_name="us-east-2",
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}), **more)
            s3 = client("s3")
            \(text)
            """
        return try await LakeServers.run(
            LakeServers.python ?? "python3", ["-c", script],
            environment: ["URL": url, "AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"].merging(environment) { $1 })
    }
}

extension Process {
    /// Starts the process with no signal blocked: threads of the cooperative pool block all, and a child that inherits that cannot be ended.
    fileprivate func runUnmasked() throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
