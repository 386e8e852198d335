import AsyncHTTPClient
import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// A lake over HTTP: its files as they are, late, spoilt, or yet to appear.
@Suite struct ServeLakeTests {
    private static let layout = ["--ledgers-per-file", "4", "--files-per-partition", "3"]

    private func with(_ arguments: [String] = [], _ body: (SimulatorClient, MadeLake) async throws -> Void) async throws {
        try await MadeLake.with(Self.layout) { lake in
            try await SimulatorClient.with(["--lake", lake.folder.path] + arguments, command: "serve-lake") { client in
                try await body(client, lake)
            }
        }
    }

    @Test func everyFileIsServedAsItIs() async throws {
        try await with { client, lake in
            for key in try lake.keys {
                let response = try await client.get("/" + key)
                let file = try lake.bytes(key)
                #expect(response.status == .ok && response.body == file)
            }
            let statistics = try await client.statistics()
            #expect(statistics.served == 40 && statistics.distinct == 40 && statistics.max == 1)
            let bytes = try lake.files.reduce(0) { try $0 + lake.bytes($1).count }
            #expect(statistics.bytes == bytes)
            #expect(statistics.requests == ["file": 10, "manifest": 1] && statistics.faults.isEmpty)
        }
    }

    @Test func aHeadTellsTheSizeOnly() async throws {
        try await with { client, lake in
            let key = try lake.files[3]
            let response = try await client.get("/" + key, method: .HEAD)
            #expect(response.status == .ok && response.body.isEmpty)
            let size = try lake.bytes(key).count
            #expect(response.headers.first(name: "Content-Length") == "\(size)")
            #expect(try await client.get("/" + key + "x", method: .HEAD).status == .notFound)
            let statistics = try await client.statistics()
            #expect(statistics.served == 0 && statistics.requests == ["head": 1, "missing": 1])
        }
    }

    @Test(arguments: ["/", "/nothing", "/FFFFFF9B--100-103.xdr.zst", "/..%2F..%2F..%2Fetc%2Fpasswd", "/%2Fetc%2Fpasswd", "/%FF"])
    func whatIsNoFileIsNotFound(path: String) async throws {
        try await with { client, _ in
            let response = try await client.get(path)
            #expect(response.status == .notFound)
        }
    }

    @Test func aLakeWithoutManifestHasNone() async throws {
        try await MadeLake.with(["--no-manifest", "--old-extension"]) { lake in
            try await SimulatorClient.with(["--lake", lake.folder.path], command: "serve-lake") { client in
                let oldest = try lake.files[0]
                #expect(try await client.get("/.config.json").status == .notFound)
                #expect(try await client.get("/" + oldest).status == .ok)
            }
        }
    }

    @Test func filesAppearOneAfterTheOther() async throws {
        try await with(["--visible", "8"]) { client, lake in
            let files = try lake.files
            func found() async throws -> [Bool] {
                var found: [Bool] = []
                for file in files { found.append(try await client.get("/" + file).status == .ok) }
                return found
            }
            #expect(try await found() == Array(repeating: true, count: 8) + [false, false])
            #expect(try await client.control("/close") == .noContent)
            #expect(try await found() == Array(repeating: true, count: 9) + [false])
            #expect(try await client.control("/close") == .noContent)
            #expect(try await found().allSatisfy(\.self))
            #expect(try await client.control("/close") == .conflict)
        }
    }

    @Test func filesAppearByThemselves() async throws {
        try await with(["--close-every", "0.05"]) { client, lake in
            let newest = try #require(try lake.files.last)
            try await until(.seconds(120), "the newest file") { try await client.get("/" + newest).status == .ok }
            #expect(try await client.control("/close") == .conflict)
        }
    }

    @Test func aHeldFileWaitsForItsRelease() async throws {
        try await with(["--hold-from", "110"]) { client, lake in
            let files = try lake.files
            #expect(try await client.get("/" + files[1]).status == .ok, "104-107")
            async let held = client.get("/" + files[2])
            try await until(.seconds(120), "the request") { try await client.statistics().requests["file"] == 2 }
            #expect(try await client.statistics().served == 4)
            #expect(try await client.control("/release") == .noContent)
            #expect(try await held.body == lake.bytes(files[2]))
        }
    }

    @Test func everyResponseTakesItsTime() async throws {
        try await with(["--latency", "150"]) { client, lake in
            let start = ContinuousClock.now
            for key in try lake.keys.prefix(3) { _ = try await client.get("/" + key) }
            #expect(ContinuousClock.now - start >= .milliseconds(450))
        }
    }

    // MARK: Faults

    /// Responses of a server that spoils each file in one way.
    private func with(fault: String, _ body: (SimulatorClient, MadeLake) async throws -> Void) async throws {
        try await with(["--faults", fault, "--fail-every", "1"]) { client, lake in
            #expect(try await client.get("/.config.json").status == .ok, "only files with ledgers are spoilt")
            try await body(client, lake)
            let statistics = try await client.statistics()
            #expect(statistics.served == 0, "a spoilt file does not count as served")
            #expect(Set(statistics.faults.keys) == [fault])
        }
    }

    @Test(arguments: [
        ("503", HTTPResponseStatus.serviceUnavailable), ("504", .gatewayTimeout), ("429", .tooManyRequests), ("404", .notFound),
    ])
    func statuses(fault: String, status: HTTPResponseStatus) async throws {
        try await with(fault: fault) { client, lake in
            let response = try await client.get("/" + (try lake.files[0]))
            #expect(response.status == status && response.body.isEmpty)
            #expect(response.headers.contains(name: "Retry-After") == (fault == "429"))
        }
    }

    @Test(arguments: ["cut-body", "drop"])
    func connectionsThatBreak(fault: String) async throws {
        try await with(fault: fault) { client, lake in
            let path = "/" + (try lake.files[0])
            await #expect(throws: (any Error).self) { try await client.get(path) }
        }
    }

    @Test func halfAFileLooksLikeAWholeOne() async throws {
        try await with(fault: "half-file") { client, lake in
            let key = try lake.files[5]
            let response = try await client.get("/" + key)
            let whole = try lake.bytes(key)
            #expect(response.status == .ok && response.body == whole.prefix(whole.count / 2))
            #expect(throws: (any Error).self) { try MadeLake.content(response.body) }
        }
    }

    @Test(arguments: ["damaged-frame", "wrong-bytes"])
    func bytesThatCannotBeUnpacked(fault: String) async throws {
        try await with(fault: fault) { client, lake in
            for key in try lake.files {
                let response = try await client.get("/" + key)
                let whole = try lake.bytes(key)
                #expect(response.status == .ok && response.body.count == whole.count && response.body != whole)
                #expect(throws: (any Error).self) { try MadeLake.content(response.body) }
            }
        }
    }

    @Test func anotherFileIsWholeButAnother() async throws {
        try await with(fault: "other-file") { client, lake in
            let files = try lake.files
            #expect(try await client.get("/" + files[0]).body == lake.bytes(files[1]))
            #expect(try await client.get("/" + files[7]).body == lake.bytes(files[6]))
        }
    }

    @Test func aFileIsMissingForAWhile() async throws {
        try await with(["--faults", "404", "--fail-every", "3"]) { client, lake in
            let files = try lake.files
            var seen: [UInt] = []
            for index in [0, 1, 2, 2, 0, 2, 2] { seen.append(try await client.get("/" + files[index]).status.code) }
            #expect(seen == [200, 200, 404, 404, 200, 404, 200])
            #expect(try await client.statistics().faults == ["404": 3])
        }
    }

    private static let all = ["503", "504", "429", "cut-body", "drop", "half-file", "damaged-frame", "wrong-bytes", "other-file", "404"]

    @Test func everyFaultIsServedInTurn() async throws {
        try await with(["--faults", Self.all.joined(separator: ","), "--fail-every", "2"]) { client, lake in
            // Each time another file: one that is missing for a while is not asked for again.
            for file in try lake.files + lake.files { _ = try? await client.get("/" + file) }
            let statistics = try await client.statistics()
            #expect(Set(statistics.faults.keys) == Set(Self.all), "\(statistics.faults)")
            #expect(statistics.faults.values.reduce(0, +) + statistics.served / 4 == 20)
        }
    }

    @Test(
        arguments: [
            ([], 64, "--lake"), (["--lake", "x", "--faults", "empty-page"], 64, "empty-page"),
            (["--lake", "x", "--fail-every", "0"], 64, "--fail-every"),
            (["--lake", "x", "--latency", "-1"], 64, "--latency"), (["--lake", "x", "--visible", "-1"], 64, "--visible"),
            (["--lake", "/nowhere"], 1, "/nowhere"), (["--lake", "/proc/self/net"], 1, "holds no ledger files"),
        ] as [([String], Int32, String)])
    func whatCannotBeServedIsSaid(arguments: [String], status: Int32, reason: String) async throws {
        let simulator = try RunningProgram("ledger-simulator", ["serve-lake"] + arguments)
        #expect(await simulator.exit() == status, "\(simulator.log)")
        #expect(simulator.log.contains(reason), "\(simulator.log)")
    }
}
