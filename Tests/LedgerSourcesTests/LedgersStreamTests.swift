import Foundation
import LedgerSources
import Logging
import StellarXDR
import Synchronization
import TestSupport
import Testing

/// What comes of a `getLedgers` response while it arrives, whatever its form and however it is cut.
struct LedgersStreamTests {
    /// What a client says of a server that always gives this response; nil where it takes it.
    private func mistake(in response: String, limit: Int = 2, chunk: Int? = nil) async throws -> LedgerSourceError? {
        let body = Array(response.utf8)
        let reply = chunk.map { Reply.chunked(body: body, chunk: $0) } ?? .json(response)
        return try await LocalService.run(then: { _ in reply }) { _, port in
            await withClientFailure(port) { rpc throws(LedgerSourceError) in try await rpc.fetched(from: 1000, limit: limit) }
        }
    }

    private func mistake(in elements: [String], limit: Int = 2) async throws -> LedgerSourceError? {
        try await mistake(in: SampleLedgers.response(elements), limit: limit)
    }

    private static func hash(_ ledger: [UInt8]) throws -> String { try SampleLedgers.header(ledger).hash.hex }

    @Test(arguments: [1, 7, 1_000, 4_096]) func `ledgers are the same however the response is cut`(_ chunk: Int) async throws {
        let ledgers: ClosedRange<UInt32> = chunk == 1 ? 1000...1000 : 1000...1006
        let response = try SampleLedgers.response(ledgers)
        #expect(try await mistake(in: response, limit: ledgers.count, chunk: chunk) == nil)
    }

    @Test func `keys may come in any order, with others and white space between them`() async throws {
        let (one, two) = (try SampleLedgers.xdr(1000), try SampleLedgers.xdr(1001))
        func element(_ ledger: [UInt8], _ sequence: Int) throws -> String {
            let text = Data(ledger).base64EncodedString()
            return """
                { "metadataXdr" :\t"\(text)" , "note":"\\\\", "x":{"hash":7,"sequence":[]}, "\\u0073equence" : \(sequence) , "hash":"\(try Self.hash(ledger))" }
                """
        }
        let response = """
             {"id":"a \\"quoted\\" id", "error":null, "result" : { "cursor":"1", "latestLedger":1001, "extra":[{"ledgers":[1,"x\\"]}"]}, 1.5],
             "ledgers" :[ \(try element(one, 1000)),\r\n\(try element(two, 1001))] , "oldestLedger":0 } }
            """
        #expect(try await mistake(in: response) == nil)
    }

    @Test func `base64 with JSON escapes is understood, cut anywhere`() async throws {
        let text = Data(try SampleLedgers.xdr(1000)).base64EncodedString()
            .replacingOccurrences(of: "/", with: "\\/").replacingOccurrences(of: "=", with: "\\u003d")
            .replacingOccurrences(of: "+", with: "\\u002B")
        let response = SampleLedgers.response([try SampleLedgers.element(SampleLedgers.xdr(1000), metadata: text)])
        for chunk in [nil, 5, 64, 1_000] { #expect(try await mistake(in: response, limit: 1, chunk: chunk) == nil) }
    }

    @Test func `links of neighbouring requests join, others do not`() async throws {
        try await LocalService.run(then: SampleLedgers.serve) { _, port in
            try await withClient(port) { rpc in
                let a = try await rpc.forEachLedger(from: 1000, limit: 2) { _, _ in }
                let b = try await rpc.forEachLedger(from: 1002, limit: 1) { _, _ in }
                let c = try await rpc.forEachLedger(from: 1003, limit: 1) { _, _ in }
                #expect(try a.previousHash == SampleLedgers.header(SampleLedgers.xdr(1000)).previousLedgerHash)
                #expect(a.isFollowed(by: b))
                #expect(!a.isFollowed(by: c))
                #expect(!b.isFollowed(by: a))
                #expect(a.joined(with: b)?.joined(with: c) == ChainLink(ledgers: 1000...1003, previousHash: a.previousHash, hash: c.hash))
                #expect(!a.isFollowed(by: ChainLink(ledgers: b.ledgers, previousHash: a.previousHash, hash: b.hash)))
                let last = ChainLink(ledgers: .max ... .max, previousHash: a.hash, hash: a.hash)
                #expect(!last.isFollowed(by: ChainLink(ledgers: 0...0, previousHash: a.hash, hash: a.hash)))
            }
        }
    }

    // MARK: what is refused

    @Test func `a ledger of another sequence than it says is refused`() async throws {
        let error = try #require(try await mistake(in: [SampleLedgers.element(SampleLedgers.xdr(1002), sequence: 1000)]))
        #expect(error.code == .wrongSequence)
        #expect(error.ledgers == 1000...1000)
        #expect(error.description.hasPrefix("ledger 1000 from http://127.0.0.1:"))
        #expect(error.description.contains(": its header says that it is ledger 1002 (gave up after 3 tries"))
    }

    @Test func `a header that was changed does not match its hash`() async throws {
        var ledger = try SampleLedgers.xdr(1000)
        let header = try SampleLedgers.header(ledger).headerRange
        ledger[header.lowerBound + 40] ^= 1
        let error = try #require(try await mistake(in: [SampleLedgers.element(ledger)]))
        #expect(error.code == .wrongHash)
        #expect(error.ledgers == 1000...1000)
    }

    @Test func `a stated hash that is not the header's is refused`() async throws {
        let ledger = try SampleLedgers.xdr(1000)
        let other = try Self.hash(SampleLedgers.xdr(1001))
        #expect(try await mistake(in: [SampleLedgers.element(ledger, hash: other)])?.code == .wrongHash)
    }

    /// The one before it has been passed on and stays; the one that is wrong is met as the first one of the next request.
    @Test func `a ledger that names another predecessor ends the response before it`() async throws {
        // previousLedgerHash follows the four bytes of ledgerVersion.
        let forged = try SampleLedgers.forged(1001) { $0[$0.startIndex + 4] ^= 1 }
        let response = SampleLedgers.response([try SampleLedgers.element(SampleLedgers.xdr(1000)), try SampleLedgers.element(forged)])
        try await LocalService.run(then: { _ in .json(response) }) { _, port in
            try await withClient(port) { rpc in
                try await rpc.expect(1000...1000, from: 1000, limit: 2)
                #expect(rpc.counters.retries == 1)
            }
        }
    }

    @Test(arguments: ["!!!!", "QUJ", "QU JD", "QUJD=", "\\\\", "\\u0041", "", "QQ==QUJD", "QUJD\\"])
    func `text that is not base64, or no ledger, is refused`(_ text: String) async throws {
        let error = try await mistake(in: [SampleLedgers.element(SampleLedgers.xdr(1000), metadata: text)])
        let code = try #require(error).code
        let expected: Set<LedgerSourceError.Code> =
            text == "" ? [.badLedger] : text == "QUJD\\" ? [.malformedResponse, .badBase64, .cutResponse] : [.badBase64]
        #expect(expected.contains(code), "\(String(describing: error))")
    }

    @Test func `bytes that are no ledger are refused`() async throws {
        let ledger = try SampleLedgers.xdr(1000)
        for bytes in [Array(ledger.prefix(100)), [UInt8](repeating: 0xFF, count: 1000)] {
            let text = Data(bytes).base64EncodedString()
            #expect(try await mistake(in: [SampleLedgers.element(ledger, metadata: text)])?.code == .badLedger)
        }
    }

    @Test func `a ledger of an unknown version is permanent, damage is not`() async throws {
        let ledger = try SampleLedgers.xdr(1000)
        var unknown = ledger
        unknown[3] = 9
        let error = try #require(
            try await mistake(in: [SampleLedgers.element(ledger, metadata: Data(unknown).base64EncodedString())]))
        #expect(error.code == .unknownVersion)
        #expect(error.ledgers == 1000...1000)
        #expect(!error.isTransient)
        #expect(error.tries == 1)
        let damaged = try #require(
            try await mistake(in: [SampleLedgers.element(ledger, metadata: Data(ledger.prefix(2)).base64EncodedString())]))
        #expect(damaged.isTransient)
    }

    @Test(arguments: [
        #"{"id":1}"#, #"{"result":null}"#, #"{"result":7}"#, #"{"result":[]}"#, #"{"result":{"ledgers":7}}"#, #"{"result":{"ledgers":{}}}"#,
        #"{"result":{"ledgers":[7]}}"#, #"{"result":{"ledgers":[[]]}}"#, #"{"result":{"ledgers":[{"sequence":1000}]}}"#,
        #"{"result":{"ledgers":[{"sequence":"1000"}]}}"#, #"{"result":{"ledgers":[{"sequence":1000.5}]}}"#,
        #"{"result":{"ledgers":[{"sequence":4294967296}]}}"#, #"{"result":{"ledgers":[{"hash":"12"}]}}"#,
        #"{"result":{"ledgers":[{"hash":7}]}}"#, #"{"result":{"ledgers":[{"metadataXdr":null}]}}"#, #"{"result":{"latestLedger":"7"}}"#,
        #"{"result":{"ledgers":[{"metadataXdr":"","metadataXdr":""}]}}"#, #"{"result":{}} x"#, "[]", #"{"error":[]}"#,
        #"{"error":{"code":"x"}}"#,
    ]) func `another response than expected is refused as malformed`(_ response: String) async throws {
        let error = try #require(try await mistake(in: response))
        #expect(error.code == .malformedResponse, "\(error)")
        #expect(error.tries == 3)
    }

    @Test func `an error is understood, with whatever else is there`() async throws {
        let text = #"{"id":1,"error":{"data":"more","x":{"code":1},"message":"caf\u00e9 \"x\"\n","code":-32602},"result":null}"#
        let error = try #require(try await mistake(in: text))
        #expect(error.code == .invalidRequest)
        #expect(
            error.detail.contains("café \"x\"  (JSON-RPC -32602), data more")
                || error.detail.contains("café \"x\" (JSON-RPC -32602), data more"), "\(error.detail)")
    }

    // MARK: memory, and whoever takes the ledgers

    @Test func `what the receiver throws ends the request, and comes out as it is`() async throws {
        struct Mine: Error {}
        try await LocalService.run(then: SampleLedgers.serve) { server, port in
            try await withClient(port) { rpc in
                let passed = Passed()
                await #expect(throws: Mine.self) {
                    try await rpc.forEachLedger(from: 1000, limit: 5) { sequence, _ in
                        passed.ledgers.withLock { $0.append(sequence) }
                        if sequence == 1002 { throw Mine() }
                    }
                }
                #expect(passed.ledgers.withLock { $0 } == [1000, 1001, 1002])
                #expect(rpc.counters.retries == 0)
                try await rpc.expect(1003...1003, from: 1003, limit: 1)
            }
            #expect(server.seen.count == 2)
        }
    }

    @Test func `a response that breaks gives the ledgers before, and the next request the rest`() async throws {
        let whole = Array(try SampleLedgers.response(1000...1004).utf8)
        let two = Array(try SampleLedgers.response(1000...1001).utf8).count
        try await LocalService.run([.cut(body: Array(whole.prefix(two + 10)), announced: whole.count)], then: SampleLedgers.serve) {
            _, port in
            try await withClient(port) { rpc in
                let first = try await rpc.fetched(from: 1000, limit: 5)
                #expect(first.lowerBound == 1000 && (1000...1002).contains(first.upperBound))
                let second = try await rpc.fetched(from: first.upperBound + 1, limit: 2)
                #expect(second.lowerBound == first.upperBound + 1)
                #expect(rpc.counters.retries == 1)
            }
        }
    }

    @Test func `a ledger longer than allowed is refused, without taking its bytes`() async throws {
        var options = RPCOptions()
        options.longestLedger = 1_000
        try await LocalService.run(then: SampleLedgers.serve) { [options] server, port in
            let error = await withClientFailure(port, options: options) { rpc throws(LedgerSourceError) in
                try await rpc.fetched(from: 1000, limit: 2)
            }
            #expect(error?.code == .responseTooLarge)
            #expect(error?.detail.contains("ledger 1000 has more than 1000 bytes") == true, "\(String(describing: error))")
            #expect(server.seen.count == 3)
        }
    }
}

/// Who may have how much memory.
struct LedgerBuffersTests {
    @Test func `buffers are used again`() {
        let buffers = LedgerBuffers(limit: 10_000_000, longest: 5_000_000)
        var first = buffers.take()
        #expect(buffers.grow(&first, to: 1_000_000))
        #expect(first.bytes.count >= 1_000_000)
        let address = first.bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
        let held = buffers.held
        buffers.giveBack(first)
        for _ in 0..<10 {
            var next = buffers.take()
            #expect(buffers.grow(&next, to: 900_000))
            #expect(next.count == 0)
            #expect(next.bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) } == address)
            buffers.giveBack(next)
        }
        #expect(buffers.held == held)
    }

    @Test func `all together stay within the limit, but for one`() {
        let buffers = LedgerBuffers(limit: 1_000_000, longest: 5_000_000)
        var taken = (0..<5).map { _ in buffers.take() }
        for index in 0..<3 { #expect(buffers.grow(&taken[index], to: 300_000)) }
        #expect(buffers.grow(&taken[3], to: 200_000), "a single ledger may go beyond")
        #expect(!buffers.grow(&taken[4], to: 200_000), "one at a time")
        #expect(buffers.grow(&taken[3], to: 4_000_000), "the same one")
        #expect(buffers.grow(&taken[0], to: 300_000), "it has as much")
        buffers.giveBack(taken[3])
        #expect(buffers.held <= 1_000_000)
        #expect(buffers.grow(&taken[4], to: 2_000_000), "the next one's turn")
        for index in [0, 1, 2, 4] { buffers.giveBack(taken[index]) }
        #expect(buffers.held <= 1_000_000)
        var last = buffers.take()
        #expect(buffers.grow(&last, to: 900_000), "what nobody uses is given up for it")
    }
}
