import StellarXDR
import Testing

@Suite struct ValuesStrkeyTests {
    private static let counted = (1...32).map { UInt8($0) }

    /// Texts from the Python Stellar SDK.
    static let vectors: [(String, StrkeyKind, [UInt8])] = [
        ("GAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSABOV", .account, counted),
        ("CAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSBFLM", .contract, counted),
        ("LAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSB4BB", .liquidityPool, counted),
        ("BAAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IHRSE", .claimableBalance, [0] + counted),
        ("MAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSAAICAMCAKBQHBCL3G", .muxedAccount, counted + [1, 2, 3, 4, 5, 6, 7, 8]),
    ]

    @Test(arguments: vectors)
    func textAndBytesStandForEachOther(text: String, kind: StrkeyKind, payload: [UInt8]) throws {
        let key = try Strkey(kind: kind, payload: payload)
        #expect(key.description == text)
        #expect(try Strkey(text) == key)
    }

    /// SEP-23's examples of what is not a strkey, and more.
    @Test(arguments: [
        // Examples of SEP-23: lengths, stray bits, lower case, wrong kinds, wrong checksums, padding.
        "GAAAAAAAACGC6", "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUR",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZA", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUACUSI",
        "G47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVP2I",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLKA",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLKTG",
        "M47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUK===",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUO",
        "", "G", "GA", "ga7qynf7sowq3glr2bgmzehxavirza4kvwltjjfc7mgxua74p7ujvsgz",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSG",
        " GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSG\u{e9}",
    ])
    func whatIsNoStrkeyIsRefused(text: String) {
        #expect(throws: StrkeyError.self) { try Strkey(text) }
    }

    @Test func everyWrongCharacterIsFound() throws {
        let text = Array(Self.vectors[0].0)
        for index in text.indices {
            for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" where other != text[index] {
                var wrong = text
                wrong[index] = other
                #expect(throws: StrkeyError.self) { try Strkey(String(wrong)) }
            }
        }
    }

    @Test func payloadsOfAnotherLengthAreRefused() {
        for kind in StrkeyKind.allCases {
            for count in 0...41 where count != kind.payloadLength {
                #expect(throws: StrkeyError.payloadLength) { try Strkey(kind: kind, payload: [UInt8](repeating: 0, count: count)) }
            }
        }
        #expect(throws: StrkeyError.claimableBalanceType) {
            try Strkey(kind: .claimableBalance, payload: [1] + [UInt8](repeating: 0, count: 32))
        }
    }
}
