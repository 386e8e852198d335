import Foundation
import LedgerSources
import StellarXDR
import Testing

struct JSONScanTests {
    private static let hash = String(repeating: "ab", count: 32)

    private func scan(_ text: String) -> Result<LedgersResponse.Outcome, JSONScanError> {
        let bytes = Array(text.utf8)
        do { return .success(try LedgersResponse.scan(bytes.span)) } catch { return .failure(error) }
    }

    private func response(_ text: String) throws -> LedgersResponse {
        guard case .result(let response) = try scan(text).get() else { throw JSONScanError(offset: 0, reason: .expected("a result")) }
        return response
    }

    @Test func `finds what is asked for and where the XDR is`() throws {
        let text = """
            {"jsonrpc":"2.0","id":1,"result":{"ledgers":[
            {"hash":"\(Self.hash)","sequence":7,"ledgerCloseTime":"1","headerXdr":"AAA=","metadataXdr":"QUJD"},
            {"hash":"\(Self.hash)","sequence":8,"ledgerCloseTime":"2","headerXdr":"AAA=","metadataXdr":""}
            ],"latestLedger":9,"latestLedgerCloseTime":3,"oldestLedger":2,"oldestLedgerCloseTime":1,"cursor":"8"}}
            """
        let found = try response(text)
        #expect(found.ledgers.map(\.sequence) == [7, 8])
        #expect(found.ledgers.map { String(decoding: Array(text.utf8)[$0.metadata], as: UTF8.self) } == ["QUJD", ""])
        #expect(found.ledgers.allSatisfy { $0.hash == Hash32(hex: Self.hash) })
        #expect(found.latestLedger == 9)
        #expect(found.oldestLedger == 2)
        #expect(found.cursor == "8")
    }

    @Test func `takes keys in any order, unknown keys, white space and escapes`() throws {
        let text = """
             { "result" : { "cursor":"1\\u0030", "extra":[{"a":[1,-2.5e+3,true,false,null,"x\\"]}"]},[],{}], "ledgers" :
            [ { "metadataXdr" :\t"QQ==" , "note":"\\\\", "\\u0073equence" : 4294967295 , "hash":"\(Self.hash)" } ],\r
            "oldestLedger":0,"latestLedger":1 } , "error":null, "id":"a \\"quoted\\" id" }\n
            """
        let found = try response(text)
        #expect(found.ledgers.map(\.sequence) == [.max])
        #expect(found.cursor == "10")
        #expect(found.latestLedger == 1)
    }

    @Test func `reads an error, with whatever else is there`() throws {
        let text = #"{"id":1,"error":{"data":{"a":[1]},"message":"caf\u00e9 \ud83d\ude00 \ud83d \"x\"\n","code":-32600},"result":null}"#
        #expect(
            try scan(text).get() == .error(RPCErrorObject(code: -32600, message: "café 😀 \u{FFFD} \"x\"\n", data: #"{"a":[1]}"#)))
    }

    @Test func `a response without ledgers is a response`() throws {
        #expect(try response(#"{"result":{}}"#) == response(#"{"result":{"ledgers":[]}}"#))
        #expect(try response(#"{"result":{"ledgers":null}}"#).ledgers.isEmpty)
    }

    @Test(
        arguments: [
            ("", 0), (" ", 1), ("{", 1), ("[]", 0), ("null", 0), (#"{"result":{"ledgers":[{]}}"#, 23), (#"{"result":{}} x"#, 14),
            (#"{"result":{},}"#, 13),
            (#"{"result":{"ledgers":[,]}}"#, 22), (#"{"result" {}}"#, 10), (#"{"a":tru}"#, 8), (#"{"a":-}"#, 5), (#"{"a":01x}"#, 7),
            (#"{"a":"b}"#, 8),
            (#"{"a":"b\"}"#, 10), (#"{"result":{"latestLedger":"7"}}"#, 26), (#"{"result":{"latestLedger":4294967296}}"#, 26),
            (#"{"result":{"latestLedger":1.5}}"#, 26), (#"{"id":1}"#, 8), (#"{"result":null}"#, 15), (#"{"result":{"cursor":"\x"}}"#, 20),
            (#"{"result":{"ledgers":[{"sequence":1}]}}"#, 36), (#"{"result":{"ledgers":[{"hash":"12"}]}}"#, 31),
            (#"{"result":{"ledgers":7}}"#, 21),
        ] as [(String, Int)])
    func `names the byte where the JSON is wrong`(_ text: String, _ offset: Int) {
        #expect(throws: JSONScanError.self) { try scan(text).get() }
        if case .failure(let error) = scan(text) { #expect(error.offset == offset, "\(error)") }
    }

    @Test func `a text cut anywhere ends unexpectedly`() throws {
        let text = #"{"result":{"ledgers":[{"hash":"\#(Self.hash)","sequence":12,"metadataXdr":"QUJD"}],"x":[true,null,"\\"]}}"#
        for length in 0..<text.utf8.count {
            let result = scan(String(text.prefix(length)))
            guard case .failure(let error) = result else {
                Issue.record("\(length) bytes were taken for a whole response")
                continue
            }
            #expect(error.reason == .unexpectedEnd, "cut after \(length) bytes: \(error)")
        }
    }

    @Test func `ledgers are counted in a response that is not finished`() {
        let text = #"{"result":{"ledgers":[{"sequence":1,"metadataXdr":"QUJD"},{"sequence":2,"metadataXdr":"AAAAAAA"#
        for (length, ledgers) in [(0, 0), (44, 0), (60, 1), (text.utf8.count - 12, 1), (text.utf8.count, 2)] {
            let bytes = Array(text.utf8.prefix(length))
            #expect(LedgersResponse.ledgersBegun(in: bytes.span) == ledgers, "\(length) bytes")
        }
    }

    @Test func `deep nesting is refused, not followed`() {
        let text = #"{"x":"# + String(repeating: "[", count: 1_000_000)
        if case .failure(let error) = scan(text) { #expect(error.reason == .tooDeep) } else { Issue.record("taken") }
    }

    @Test func `random changes never crash it, and ranges stay inside`() throws {
        let seed = Array(
            try SampleLedgers.response([
                SampleLedgers.element(SampleLedgers.xdr(1000), metadata: "QUJDRA=="),
                SampleLedgers.element(SampleLedgers.xdr(1001), metadata: "QUJDRA=="),
            ]).utf8)
        let interesting = Array(#"{}[]",:\0tfnu-e. "#.utf8)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0...Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[at] = interesting[Int.random(in: 0..<interesting.count, using: &random)]
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
                case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 30)], at: at)
                default: bytes.removeLast(bytes.count - at)
                }
            }
            if case .result(let response)? = try? LedgersResponse.scan(bytes.span) {
                #expect(response.ledgers.allSatisfy { $0.metadata.lowerBound >= 0 && $0.metadata.upperBound <= bytes.count })
            }
        }
    }
}
