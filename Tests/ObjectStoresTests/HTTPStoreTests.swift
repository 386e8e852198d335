import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

@Suite(.timeLimit(.minutes(2)))
struct HTTPStoreTests {
    @Test func readsWhatIsThere() async throws {
        try await LocalService.run({ request, _ in
            request.target == "/lake/a%20b/c%2Bd.xdr" ? .text("object") : .text("no", status: 404)
        }) { service in
            try await withStore("\(service.url.replacing("http://", with: "http://user:pass@"))/lake/", localOptions()) {
                store async throws in
                #expect(try await store.text("a b/c+d.xdr") == "object")
                #expect(try await store.text("none") == nil)
                #expect(try await store.list(prefix: "", limit: 1) == nil)
                #expect(store.address == "\(service.url)/lake")
                #expect(service.seen.allSatisfy { $0.headers["authorization"] == "Basic dXNlcjpwYXNz" && $0.method == "GET" })
            }
        }
    }

    @Test func aQueryGoesWithEachRequestAndIsNotShown() async throws {
        try await LocalService.run({ _, _ in .text("no", status: 500) }) { service in
            try await withStore("\(service.url)/lake?token=\(Hidden.token)", localOptions()) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.description == "k in \(service.url)/lake: HTTP 500")
                #expect(service.seen.first?.target == "/lake/k?token=\(Hidden.token)")
            }
        }
    }

    static let refusals: [(Reply, ObjectStoreError.Code, String)] = [
        (
            .text("", status: 301, headers: ["location": "https://elsewhere:444/x?key=\(Hidden.key)"]), .redirected,
            "to https://elsewhere:444;"
        ),
        (.text("", status: 401), .noCredentials, "in the URL"),
        (.text("", status: 403), .denied, "refuses"),
        (.text("", status: 429, headers: ["retry-after": "7"]), .overloaded, "too many"),
        (.text("", status: 503), .overloaded, "503"),
        (.text("", status: 500), .serverFailure, "500"),
        (.text("", status: 504), .timeout, "504"),
        (.text("", status: 204), .unexpectedAnswer, "204"),
        (.cut(body: [1, 2, 3], announced: 10), .cut, "middle"),
        (.close, .connection, "before the answer"),
    ]

    @Test(arguments: refusals.indices)
    func refused(_ index: Int) async throws {
        let (reply, code, word) = Self.refusals[index]
        try await LocalService.run({ _, _ in reply }) { service in
            try await withStore(service.url, localOptions()) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.get("key", limit: 100) }
                #expect(error.code == code, "\(error)")
                #expect(error.detail.contains(word), "\(error)")
                #expect(error.key == "key")
                #expect(error.address == service.url)
                if error.status == 429 { #expect(error.retryAfter == .seconds(7)) }
            }
        }
    }

    @Test func sizes() async throws {
        let body = [UInt8](repeating: 7, count: 300_000)
        try await LocalService.run({ request, _ in
            request.target == "/chunked" ? .chunked(body: body, chunk: 10_000) : .response(body: body)
        }) {
            service in
            try await withStore(service.url, localOptions()) { store async throws in
                for key in ["chunked", "announced"] {
                    #expect(try await store.get(key, limit: 300_000)?.readableBytes == 300_000)
                    let error = try await failure { () throws(ObjectStoreError) in try await store.get(key, limit: 299_999) }
                    #expect(error.code == .tooLarge)
                    #expect(error.detail.contains("299999"))
                }
            }
        }
    }

    @Test func timeLimits() async throws {
        try await LocalService.run({ _, _ in .silence }) { service in
            var options = localOptions()
            options.requestTimeout = .milliseconds(200)
            try await withStore(service.url, options) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code
                #expect(found == .timeout)
            }
            options.requestTimeout = .seconds(60)
            options.idleTimeout = .milliseconds(200)
            try await withStore(service.url, options) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code
                #expect(found == .timeout)
            }
        }
    }

    @Test func nobodyListens() async throws {
        try await withStore("http://127.0.0.1:1/lake", localOptions()) { store async throws in
            let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
            #expect(error.code == .connection)
            #expect(error.isTransient)
        }
    }

    @Test func cancelledAndClosed() async throws {
        let (begun, signal) = AsyncStream<Void>.makeStream()
        try await LocalService.run({ _, _ in
            signal.yield()
            return .silence
        }) { service in
            let store = try ObjectStores.open(service.url, localOptions())
            var requests = begun.makeAsyncIterator()
            let cancelled = Task { await Result { () async throws(ObjectStoreError) in try await store.text("k") } }
            await requests.next()
            cancelled.cancel()
            guard case .failure(let error) = await cancelled.value else { throw ObjectStoreError(.unexpectedAnswer, "not cancelled") }
            #expect(error.code == .cancelled)
            let closed = Task { await Result { () async throws(ObjectStoreError) in try await store.text("k") } }
            await requests.next()
            await store.shutdown()
            guard case .failure(let error) = await closed.value else { throw ObjectStoreError(.unexpectedAnswer, "not closed") }
            #expect(error.code == .closed)
            #expect(try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code == .closed)
            await store.shutdown()
        }
    }

    @Test func aHundredAtATimeOverKeptConnections() async throws {
        let body = [UInt8](repeating: 1, count: 140_000)
        try await LocalService.run({ _, _ in .response(body: body) }) { service in
            var options = localOptions()
            options.maximumConnections = 100
            try await withStore(service.url, options) { store async throws in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    var sum = 0
                    for number in 0..<1000 {
                        if number >= 100 { sum += try await group.next() ?? 0 }
                        group.addTask { try await store.get("object-\(number)", limit: 1 << 20)?.readableBytes ?? 0 }
                    }
                    for try await bytes in group { sum += bytes }
                    #expect(sum == 140_000_000)
                }
                #expect(service.seen.count == 1000)
                #expect(service.connections <= 100)
            }
        }
    }

    @Test(arguments: ["", "/a", "a//b", "../a", "a/./b", "a/"])
    func keysThatWouldBeRewritten(_ key: String) async throws {
        try await withStore("http://127.0.0.1:1/lake", localOptions()) { store async throws in
            let found = try await failure { () throws(ObjectStoreError) in try await store.text(key) }.code
            #expect(found == .invalidKey)
        }
    }
}

extension Result where Failure == ObjectStoreError {
    /// What a call came to.
    init(_ body: () async throws(ObjectStoreError) -> Success) async {
        do throws(ObjectStoreError) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
