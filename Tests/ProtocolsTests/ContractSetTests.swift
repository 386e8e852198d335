import Crypto
import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

@Suite struct ContractSetTests {
    private static func contract(_ byte: UInt8) -> [UInt8] { Address.key(byte) }

    private let small: ContractSet
    private let bigger: ContractSet

    init() throws {
        small = try ContractSet(["SEP50": Self.contract(9), "SEP41": Self.contract(7) + Self.contract(1) + Self.contract(7)])
        bigger = try ContractSet([
            "SEP41": Self.contract(0) + Self.contract(7) + Self.contract(1) + Self.contract(0xFF) + Self.contract(3),
            "SEP50": Self.contract(9),
        ])
    }

    @Test func encodingIsSortedWithoutDoublesAndNamedByItsHash() throws {
        let expected: [UInt8] =
            [0, 0, 0, 1, 0, 0, 0, 2]
            + [0, 0, 0, 5] + Array("SEP41".utf8) + [0, 0, 0, 0, 0, 0, 0, 2]
            + [0, 0, 0, 5] + Array("SEP50".utf8) + [0, 0, 0, 0, 0, 0, 0, 1]
            + Self.contract(1) + Self.contract(7) + Self.contract(9)
        #expect(small.encoded == expected)
        #expect(small.digest == SHA256.hash(data: expected).map { (String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)) }.joined())
        #expect(small.protocols == ["SEP41", "SEP50"])
        #expect(small.count == 3)
        #expect(small.count(of: "SEP41") == 2)
        #expect(small.count(of: "SEP50") == 1)
        #expect(small.count(of: "BLEND") == 0)
        #expect(ContractSet.encodedByteCount(["SEP41": 2, "SEP50": 1]) == expected.count)
        #expect(ContractSet.encodedByteCount([:]) == ContractSet.empty.encoded.count)
        #expect(ContractSet.encodedByteCount(["SEP41": .max]) == .max)
        #expect(ContractSet.encodedByteCount(["SEP41": .max / 32, "SEP50": .max / 32]) == .max)
        #expect(ContractSet.empty.encoded == [0, 0, 0, 1, 0, 0, 0, 0])
    }

    @Test func orderAndDoublesMakeNoOtherSet() throws {
        let again = ContractSet([
            "SEP41": [try #require(Hash32(Self.contract(1))), try #require(Hash32(Self.contract(7)))],
            "SEP50": [try #require(Hash32(Self.contract(9)))],
        ])
        #expect(again == small)
        #expect(again != bigger)
        #expect(ContractSet(["SEP41": [Hash32]()]) != .empty)
    }

    @Test func partOfAContractIsRefusedWithProtocolAndBytes() {
        let error = #expect(throws: ContractSetError.self) {
            try ContractSet(["SEP41": Self.contract(1), "SEP50": [UInt8](repeating: 0, count: 33)])
        }
        #expect(error == .partOfContract("SEP50", byteCount: 33))
        #expect(error?.description == "contracts of SEP50: 33 bytes are not a multiple of 32")
    }

    @Test func encodingIsReadBack() throws {
        for set in [small, bigger, .empty, ContractSet(["SEP41": [Hash32](), "SEP50": []])] {
            let read = try ContractSet(decoding: set.encoded.span.bytes)
            #expect(read == set)
            #expect(read.encoded == set.encoded)
            #expect(read.protocols == set.protocols)
            #expect(read.count == set.count)
        }
        let tracked = TrackedContracts(try ContractSet(decoding: bigger.encoded.span.bytes))
        #expect(tracked[try #require(Hash32(Self.contract(3)))] == ["SEP41"])
        #expect(tracked[try #require(Hash32(Self.contract(9)))] == ["SEP50"])
        #expect(tracked[try #require(Hash32(Self.contract(2)))] == [])
    }

    @Test func everyCutAndEveryByteTooManyIsRefused() {
        let bytes = bigger.encoded
        for count in 0..<bytes.count {
            #expect(throws: ContractSetError.self, "\(count) bytes") { try ContractSet(decoding: Array(bytes[..<count]).span.bytes) }
        }
        #expect(throws: ContractSetError.trailingBytes(1)) { try ContractSet(decoding: (bytes + [0]).span.bytes) }
    }

    /// Whatever a peer sends: an error, or a set that is exactly these bytes.
    @Test func changedBytesGiveAnErrorOrTheSetThatTheyAre() {
        for bytes in [small.encoded, bigger.encoded] {
            for index in bytes.indices {
                for change: UInt8 in [1, 0x80, 0xFF] {
                    var changed = bytes
                    changed[index] ^= change
                    guard let set = try? ContractSet(decoding: changed.span.bytes) else { continue }
                    #expect(set.encoded == changed)
                    #expect(set.digest != small.digest && set.digest != bigger.digest)
                }
            }
        }
    }

    @Test func hugeNumbersAreRefusedBeforeAnythingIsAllocated() {
        func set(_ bytes: [UInt8]) throws(ContractSetError) -> ContractSet { try ContractSet(decoding: bytes.span.bytes) }
        #expect(throws: ContractSetError.cutOff(offset: 8, needed: 12 * 0xFFFF_FFFF, remaining: 0)) {
            try set([0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])
        }
        #expect(throws: ContractSetError.cutOff(offset: 12, needed: 0xFFFF_FFFF, remaining: 8)) {
            try set([0, 0, 0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 8))
        }
        #expect(throws: ContractSetError.cutOff(offset: 21, needed: .max, remaining: 0)) {
            try set([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x41] + [UInt8](repeating: 0xFF, count: 8))
        }
        #expect(throws: ContractSetError.form(2, expected: 1)) { try set([0, 0, 0, 2, 0, 0, 0, 0]) }
    }

    @Test func disorderIsRefused() throws {
        let header = Array(small.encoded.prefix(small.encoded.count - 96))
        func set(_ contracts: UInt8...) throws(ContractSetError) -> ContractSet {
            try ContractSet(decoding: (header + contracts.flatMap(Self.contract)).span.bytes)
        }
        #expect(try set(1, 7, 9) == small)
        // Ascending within a protocol only.
        #expect(try set(8, 9, 1).count == 3)
        #expect(throws: ContractSetError.notAscending(offset: header.count + 32)) { try set(7, 1, 9) }
        #expect(throws: ContractSetError.notAscending(offset: header.count + 32)) { try set(7, 7, 9) }
        var twice = small.encoded
        twice[29] = UInt8(ascii: "4")
        twice[30] = UInt8(ascii: "1")
        #expect(throws: ContractSetError.notAscending(offset: 25)) { try ContractSet(decoding: twice.span.bytes) }
        var noText = small.encoded
        noText[12] = 0xFF
        #expect(throws: ContractSetError.protocolID(offset: 12)) { try ContractSet(decoding: noText.span.bytes) }
    }

    @Test func additionsLeadFromOneSetToTheNext() throws {
        let additions = try #require(bigger.additions(since: small))
        // Three contracts, not five.
        #expect(additions.count == 68 + ContractSet.encodedByteCount(["SEP41": 3, "SEP50": 0]))
        let added = try small.adding(additions.span.bytes)
        #expect(added == bigger)
        #expect(added.encoded == bigger.encoded)
        let none = try #require(small.additions(since: small))
        #expect(try small.adding(none.span.bytes) == small)
    }

    @Test func whatIsNoMereAdditionHasNone() throws {
        #expect(small.additions(since: bigger) == nil)
        #expect(small.additions(since: try ContractSet(["SEP41": Self.contract(1)])) == nil)
        let moved = try ContractSet(["SEP41": Self.contract(1) + Self.contract(8), "SEP50": Self.contract(9)])
        #expect(moved.additions(since: small) == nil)
    }

    @Test func additionsThatDoNotFitAreRefused() throws {
        let additions = try #require(bigger.additions(since: small))
        #expect(throws: ContractSetError.otherBase(expected: bigger.digest, found: small.digest)) {
            try bigger.adding(additions.span.bytes)
        }
        #expect(throws: ContractSetError.form(1, expected: 2)) { try small.adding(small.encoded.span.bytes) }
        for index in additions.indices {
            var changed = additions
            changed[index] ^= 1
            #expect(throws: ContractSetError.self, "byte \(index)") { try small.adding(changed.span.bytes) }
            #expect(throws: ContractSetError.self, "\(index) bytes") { try small.adding(Array(additions[..<index]).span.bytes) }
        }
        #expect(throws: ContractSetError.self) { try small.adding((additions + [0]).span.bytes) }
    }

    @Test func aMillionContractsComeThroughWhole() throws {
        var random = SeededRandom(seed: 0x9E37_79B9_7F4A_7C15)
        var contracts: [Hash32] = []
        for _ in 0..<1_000_000 { contracts.append(Hash32(words: (random.next(), random.next(), random.next(), random.next()))) }
        let older = ContractSet(["SEP41": Array(contracts.dropLast(1000)), "SEP50": []])
        let set = ContractSet(["SEP41": contracts, "SEP50": []])
        #expect(set.count == 1_000_000)
        #expect(set.encoded.count == ContractSet.encodedByteCount(["SEP41": 1_000_000, "SEP50": 0]))
        let read = try ContractSet(decoding: set.encoded.span.bytes)
        #expect(read == set)
        let additions = try #require(set.additions(since: older))
        #expect(additions.count < 33_000)
        #expect(try older.adding(additions.span.bytes) == set)
        let tracked = TrackedContracts(read)
        #expect(tracked.count == 1_000_000)
        #expect(contracts.allSatisfy { tracked[$0] == ["SEP41"] })
    }
}
