import StateChanges
import Store
import Testing

/// The texts of cursors, and the keys of cursors and locks.
struct CursorReadingTests {
    @Test(arguments: [("0", 0), ("1", 1), ("58000000", 58_000_000), ("2147483647", 2_147_483_647)] as [(String, UInt32)])
    func canonicalNumbersAreLedgers(text: String, ledger: UInt32) throws {
        #expect(CursorReading(text) == .ledger(ledger))
        #expect(try CursorReading(text).ledger(ofKey: "k") == ledger)
    }

    @Test(arguments: ["", " 7", "7 ", "+7", "-1", "-0", "007", "7.0", "0x7", "2147483648", "99999999999999999999", "seven", "٧"])
    func anythingElseIsMalformed(text: String) {
        #expect(CursorReading(text) == .malformed(text))
        let error = #expect(throws: StoreError.self) { try CursorReading(text).ledger(ofKey: "some_cursor") }
        #expect(error == .malformedCursor(key: "some_cursor", value: text))
        #expect(error?.description.contains("some_cursor") == true)
    }

    @Test func aMissingRowIsNeither() throws {
        #expect(CursorReading(nil) == .missing)
        #expect(try CursorReading(nil).ledger(ofKey: "k") == nil)
    }

    @Test func keysAreThoseOfTheContract() {
        #expect(CursorNames().oldest == "oldest_ingest_ledger")
        #expect(CursorNames().latest == "latest_ingest_ledger")
        #expect(CursorNames.history("SEP41") == "protocol_SEP41_history_cursor")
    }

    /// Vectors from the test suite of FNV's authors.
    @Test(arguments: [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)] as [(String, UInt64)])
    func lockKeysAreFNV1a(name: String, key: UInt64) {
        #expect(AdvisoryLock.key(for: name) == Int64(bitPattern: key))
    }
}
