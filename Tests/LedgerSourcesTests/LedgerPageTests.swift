import Foundation
import LedgerSources
import Logging
import NIOCore
import StellarXDR
import Testing

struct LedgerPageTests {
    /// A page of the given ledgers, as an RPC encodes them or as plain XDR.
    private func page(_ first: UInt32, _ ledgers: [[UInt8]], _ encoding: LedgerPage.Encoding, hashes: [Hash32?]? = nil) throws -> LedgerPage
    {
        var bytes = ByteBuffer()
        var slots: [LedgerPage.Slot] = []
        for (index, ledger) in ledgers.enumerated() {
            bytes.writeString("filler")
            let start = bytes.writerIndex
            switch encoding {
            case .base64: bytes.writeString(Data(ledger).base64EncodedString())
            case .xdr: bytes.writeBytes(ledger)
            }
            slots.append(LedgerPage.Slot(range: start..<bytes.writerIndex, hash: hashes?[index]))
        }
        return try #require(LedgerPage(from: "http://test:1", first: first, slots: slots, in: bytes, encoding: encoding))
    }

    private func mistake(in page: LedgerPage) -> LedgerSourceError? {
        var scratch = LedgerScratch()
        do {
            try page.forEachLedger(scratch: &scratch) { _, _ in }
            return nil
        } catch {
            return error as? LedgerSourceError
        }
    }

    @Test(arguments: [LedgerPage.Encoding.base64, .xdr])
    func `hands out every ledger byte for byte and the ends of the chain`(_ encoding: LedgerPage.Encoding) throws {
        let ledgers = try (1000...1019).map { try SampleLedgers.xdr($0) }
        let page = try page(1000, ledgers, encoding)
        var scratch = LedgerScratch()
        for _ in 0..<2 {
            var seen: [UInt32] = []
            let link = try page.forEachLedger(scratch: &scratch) { sequence, xdr in
                seen.append(sequence)
                let same = xdr.withUnsafeBytes { $0.elementsEqual(ledgers[Int(sequence) - 1000]) }
                #expect(same)
            }
            #expect(seen == Array(1000...1019))
            #expect(link.ledgers == 1000...1019)
            #expect(try link.previousHash == SampleLedgers.header(ledgers[0]).previousLedgerHash)
            #expect(try link.hash == SampleLedgers.header(ledgers[19]).hash)
        }
        #expect(page.ledgers == 1000...1019)
    }

    @Test func `links of neighbouring pages join, others do not`() throws {
        var scratch = LedgerScratch()
        let a = try page(1000, [SampleLedgers.xdr(1000), SampleLedgers.xdr(1001)], .xdr).forEachLedger(scratch: &scratch) { _, _ in }
        let b = try page(1002, [SampleLedgers.xdr(1002)], .xdr).forEachLedger(scratch: &scratch) { _, _ in }
        let c = try page(1003, [SampleLedgers.xdr(1003)], .xdr).forEachLedger(scratch: &scratch) { _, _ in }
        #expect(a.isFollowed(by: b))
        #expect(!a.isFollowed(by: c))
        #expect(!b.isFollowed(by: a))
        #expect(a.joined(with: b)?.joined(with: c) == ChainLink(ledgers: 1000...1003, previousHash: a.previousHash, hash: c.hash))
        #expect(!a.isFollowed(by: ChainLink(ledgers: b.ledgers, previousHash: a.previousHash, hash: b.hash)))
        let last = ChainLink(ledgers: .max ... .max, previousHash: a.hash, hash: a.hash)
        #expect(!last.isFollowed(by: ChainLink(ledgers: 0...0, previousHash: a.hash, hash: a.hash)))
    }

    @Test func `a ledger of another sequence is refused`() throws {
        let error = try #require(mistake(in: page(1000, [SampleLedgers.xdr(1000), SampleLedgers.xdr(1002)], .base64)))
        #expect(error.code == .wrongSequence)
        #expect(error.ledgers == 1001...1001)
        #expect("\(error)" == "ledger 1001 from http://test:1: its header says that it is ledger 1002")
    }

    @Test func `a header that was changed does not match its hash`() throws {
        var ledger = try SampleLedgers.xdr(1001)
        let header = try SampleLedgers.header(ledger).headerRange
        ledger[header.lowerBound + 40] ^= 1
        let error = try #require(mistake(in: page(1000, [SampleLedgers.xdr(1000), ledger], .base64)))
        #expect(error.code == .wrongHash)
        #expect(error.ledgers == 1001...1001)
    }

    @Test func `a stated hash that is not the header's is refused`() throws {
        let ledger = try SampleLedgers.xdr(1000)
        let other = try SampleLedgers.header(SampleLedgers.xdr(1001)).hash
        #expect(try mistake(in: page(1000, [ledger], .base64, hashes: [SampleLedgers.header(ledger).hash])) == nil)
        #expect(try mistake(in: page(1000, [ledger], .base64, hashes: [other]))?.code == .wrongHash)
    }

    @Test func `a ledger that names another predecessor breaks the chain`() throws {
        // previousLedgerHash follows the four bytes of ledgerVersion.
        let forged = try SampleLedgers.forged(1001) { $0[$0.startIndex + 4] ^= 1 }
        #expect(try mistake(in: page(1001, [forged], .base64)) == nil)
        let error = try #require(mistake(in: page(1000, [SampleLedgers.xdr(1000), forged], .base64)))
        #expect(error.code == .brokenChain)
        #expect(error.ledgers == 1001...1001)
    }

    @Test(arguments: ["!!!!", "QUJ", "QU JD", "QUJD=", "\\"])
    func `text that is not base64 is refused`(_ text: String) throws {
        let bytes = ByteBuffer(string: text)
        let page = try #require(
            LedgerPage(from: "http://test:1", first: 5, slots: [.init(range: 0..<text.utf8.count)], in: bytes, encoding: .base64))
        #expect(mistake(in: page)?.code == .badBase64)
    }

    @Test func `base64 with JSON escapes is understood`() throws {
        let text = Data(try SampleLedgers.xdr(1000)).base64EncodedString()
            .replacingOccurrences(of: "/", with: "\\/").replacingOccurrences(of: "=", with: "\\u003d").replacingOccurrences(
                of: "+", with: "\\u002B")
        let bytes = ByteBuffer(string: text)
        let page = try #require(
            LedgerPage(from: "http://test:1", first: 1000, slots: [.init(range: 0..<text.utf8.count)], in: bytes, encoding: .base64))
        #expect(mistake(in: page) == nil)
    }

    @Test func `bytes that are no ledger are refused`() throws {
        let ledger = try SampleLedgers.xdr(1000)
        #expect(try mistake(in: page(1000, [Array(ledger.prefix(100))], .base64))?.code == .badLedger)
        #expect(try mistake(in: page(1000, [[]], .base64))?.code == .badLedger)
        #expect(try mistake(in: page(1000, [[UInt8](repeating: 0xFF, count: 1000)], .xdr))?.code == .badLedger)
    }

    @Test func `a ledger of an unknown version is permanent, damage is not`() throws {
        var ledger = try SampleLedgers.xdr(1000)
        ledger[3] = 9
        let error = try #require(mistake(in: page(1000, [ledger], .base64)))
        #expect(error.code == .unknownVersion)
        #expect(error.ledgers == 1000...1000)
        #expect(!error.isTransient)
        let damaged = try #require(mistake(in: page(1000, [Array(ledger.prefix(2))], .base64)))
        #expect(damaged.isTransient)
    }

    @Test func `a request that was cancelled says nothing about its ledgers`() async {
        let task = Task {
            let rpc = try StellarRPC(url: "http://127.0.0.1:1", logger: .init(label: "test"))
            withUnsafeCurrentTask { $0?.cancel() }
            let error = await failure { () async throws(LedgerSourceError) in try await rpc.page(from: 1000, limit: 1) }
            await rpc.shutdown()
            return (error, await failure { () async throws(LedgerSourceError) in try await rpc.page(from: 1000, limit: 1) })
        }
        let (cancelled, closed) = (try? await task.value) ?? (nil, nil)
        #expect(cancelled?.code == .cancelled)
        #expect(cancelled?.isTransient == true)
        #expect(closed?.code == .cancelled || closed?.code == .closed)
        #expect(closed?.isTransient == true)
    }

    @Test func `a page must hold something, inside of its bytes and below the last sequence`() {
        let bytes = ByteBuffer(repeating: 0, count: 10)
        #expect(LedgerPage(from: "x", first: 1, slots: [], in: bytes, encoding: .xdr) == nil)
        #expect(LedgerPage(from: "x", first: 1, slots: [.init(range: 5..<11)], in: bytes, encoding: .xdr) == nil)
        #expect(LedgerPage(from: "x", first: .max, slots: [.init(range: 0..<1), .init(range: 1..<2)], in: bytes, encoding: .xdr) == nil)
        #expect(LedgerPage(from: "x", first: .max, slots: [.init(range: 0..<10)], in: bytes, encoding: .xdr) != nil)
    }

    @Test func `what the caller throws comes out as it is`() throws {
        struct Mine: Error {}
        let page = try page(1000, [SampleLedgers.xdr(1000)], .base64)
        var scratch = LedgerScratch()
        #expect(throws: Mine.self) { try page.forEachLedger(scratch: &scratch) { _, _ in throw Mine() } }
    }
}
