import LedgerSources
import Testing

/// Names of files and folders of data lakes (SEP-54), both ways.
@Suite struct LakeLayoutTests {
    /// SEP-54's examples, real objects of lakes, and names that `make_lake.py`, a writer that is not ours, gives for the edges.
    private static let known: [(ledgersPerFile: UInt32, filesPerPartition: UInt32, ledger: UInt32, key: String)] = [
        (1, 64000, 2, "FFFFFFFF--0-63999/FFFFFFFD--2.xdr.zst"),
        (1, 64000, 5, "FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst"),
        (1, 64000, 999, "FFFFFFFF--0-63999/FFFFFC18--999.xdr.zst"),
        (1, 64000, 63999, "FFFFFFFF--0-63999/FFFF0600--63999.xdr.zst"),
        (1, 64000, 64000, "FFFF05FF--64000-127999/FFFF05FF--64000.xdr.zst"),
        (1, 64000, 63_092_985, "FC3E15FF--63040000-63103999/FC3D4706--63092985.xdr.zst"),
        (1, 64000, 53_312_000, "FCD285FF--53312000-53375999/FCD285FF--53312000.xdr.zstd"),
        (1, 64000, .max, "0000D7FF--4294912000-4294967295/00000000--4294967295.xdr.zst"),
        (1, 1, 5, "FFFFFFFA--5.xdr.zst"),
        (1, 1, .max, "00000000--4294967295.xdr.zst"),
        (2, 8, 2, "FFFFFFFF--0-15/FFFFFFFD--2-3.xdr.zst"),
        (2, 8, 19, "FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst"),
        (2, 8, .max - 1, "0000000F--4294967280-4294967295/00000001--4294967294-4294967295.xdr.zst"),
        (8, 64000, 63_092_984, "FC3F0FFF--62976000-63487999/FC3D4707--63092984-63092991.xdr.zst"),
        (8, 64000, 63_092_999, "FC3F0FFF--62976000-63487999/FC3D46FF--63092992-63092999.xdr.zst"),
        // The short first file: its ledgers begin with 2, its name with 0.
        (16, 1, 2, "FFFFFFFF--0-15.xdr.zst"),
        (16, 1, 15, "FFFFFFFF--0-15.xdr.zst"),
        (16, 1, 16, "FFFFFFEF--16-31.xdr.zst"),
        (16, 10, 2, "FFFFFFFF--0-159/FFFFFFFF--0-15.xdr.zstd"),
        (16, 10, 1000, "FFFFFC3F--960-1119/FFFFFC1F--992-1007.xdr.zstd"),
        // Ends are capped, of folders and of files.
        (64, 10, .max, "000000FF--4294967040-4294967295/0000003F--4294967232-4294967295.xdr.zst"),
        (3, 7, .max - 1, "00000003--4294967292-4294967295/00000003--4294967292-4294967294.xdr.zst"),
        (3, 7, .max, "00000003--4294967292-4294967295/00000000--4294967295.xdr.zst"),
        (7, 1, .max, "00000003--4294967292-4294967295.xdr.zst"),
        (100, 458_752, .max, "01B3FFFF--4266393600-4294967295/0000005F--4294967200-4294967295.xdr.zst"),
        // A folder that would have more ledgers than there are numbers.
        (1_000_000, 100_000, 3_000_000_000, "FFFFFFFF--0-4294967295/4D2FA1FF--3000000000-3000999999.xdr.zst"),
    ]

    private static func layout(_ ledgersPerFile: UInt32, _ filesPerPartition: UInt32) throws -> LakeLayout {
        try #require(LakeLayout(ledgersPerFile: ledgersPerFile, filesPerPartition: filesPerPartition))
    }

    @Test(arguments: known)
    func knownNamesAreMadeAndRead(ledgersPerFile: UInt32, filesPerPartition: UInt32, ledger: UInt32, key: String) throws {
        let layout = try Self.layout(ledgersPerFile, filesPerPartition)
        let suffix = try #require(LakeFileName(key: key)).extension
        #expect(layout.key(of: ledger, extension: suffix) == key)
        let ledgers = try #require(layout.ledgers(ofKey: key))
        #expect(ledgers == layout.ledgers(inFileOf: ledger) && ledgers.contains(ledger))
        #expect(layout.partition(of: ledger) == (filesPerPartition > 1 ? String(key.prefix { $0 != "/" }) : nil))
    }

    private static let sizes: [UInt32] = [1, 2, 3, 8, 16, 64, 100, 1000, 64000, 1 << 16, 1 << 31, .max]

    @Test(arguments: sizes, sizes)
    func everyNameComesBack(ledgersPerFile: UInt32, filesPerPartition: UInt32) throws {
        let layout = try Self.layout(ledgersPerFile, filesPerPartition)
        for ledger in [0, 1, 2, 3, 15, 16, 17, 999, 63_999, 64_000, 63_092_985, 1 << 31, .max - 1, .max] as [UInt32] {
            let file = layout.ledgers(inFileOf: ledger)
            #expect(file.contains(ledger) && file.lowerBound.isMultiple(of: ledgersPerFile))
            #expect(file.count == Int(ledgersPerFile) || file.upperBound == .max)
            if let folder = layout.ledgers(inPartitionOf: ledger) {
                #expect(folder.contains(file.lowerBound) && folder.contains(file.upperBound))
            }
            for suffix in LakeFileName.Extension.allCases {
                let key = layout.key(of: ledger, extension: suffix)
                #expect(layout.ledgers(ofKey: key) == file)
                let name = try #require(LakeFileName(key: key))
                #expect(name.ledgers == file && name.extension == suffix && key.hasSuffix(name.text))
            }
        }
    }

    @Test(arguments: [(1, 64000), (1, 1), (8, 3), (16, 1), (7, 5)] as [(UInt32, UInt32)])
    func namesSortNewestFirst(ledgersPerFile: UInt32, filesPerPartition: UInt32) throws {
        let layout = try Self.layout(ledgersPerFile, filesPerPartition)
        let ascending = (UInt32(2)..<400).map { $0 * 163 } + [.max]
        let keys = ascending.map { layout.key(of: $0) }
        for (older, newer) in zip(keys, keys.dropFirst()) where older != newer {
            #expect(Array(newer.utf8).lexicographicallyPrecedes(Array(older.utf8)), "\(newer) before \(older)")
        }
        #expect(LakeManifest.key < keys[0], "the manifest comes first of all")
    }

    /// Nothing but what the layout itself would call a file is one: not a folder, a manifest, a file of another layout, or another spelling.
    @Test(arguments: [
        "", "/", ".config.json", "FFFFFFEF--16-31/", "FFFFFFEF--16-31", "FFFFFFED--18-19.xdr.zst", "/FFFFFFED--18-19.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst.part", "FFFFFFEF--16-31/FFFFFFED--18-19.xdr", "FFFFFFEF--16-31/FFFFFFED--18-19.zst",
        "FFFFFFEF--16-31/FFFFFFED--18-19.xdr.gz", "FFFFFFEF--16-31/ffffffed--18-19.xdr.zst", "ffffffef--16-31/FFFFFFED--18-19.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--18.xdr.zst", "FFFFFFEF--16-31/FFFFFFED--18-20.xdr.zst", "FFFFFFEF--16-31/FFFFFFEC--19-20.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--018-19.xdr.zst", "FFFFFFEF--16-31/FFFFFFED--+18-19.xdr.zst", "FFFFFFEF--16-31/FFFFFFED-18-19.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--18--19.xdr.zst", "FFFFFFEF--16-31/FFFFFFED--18-19-20.xdr.zst", "FFFFFFEF--16-31/FFFFFFEE--18-19.xdr.zst",
        "FFFFFFFF--0-15/FFFFFFED--18-19.xdr.zst", "x/FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst", "FFFFFFEF--16-31//FFFFFFED--18-19.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--99999999999-19.xdr.zst", "FFFFFFEF--16-31/FFFFFFED--19-18.xdr.zst", "FFFFFFEF--16-31/.xdr.zst",
        "FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst/", "FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst ", "FFFFFFEF--16-31/\u{0}", "ä--18-19.xdr.zst",
    ])
    func whatIsNoFileOfTheLayoutIsNone(key: String) throws {
        #expect(try Self.layout(2, 8).ledgers(ofKey: key) == nil)
    }

    /// A file's name can be read without a layout, to say which one the lake has.
    @Test func aNameSaysItsOwnLedgers() {
        #expect(LakeFileName(key: "FFFFFFED--18-19.xdr.zst")?.ledgers == 18...19)
        #expect(LakeFileName(key: "some/where/FFFFFFEC--19.xdr.zstd")?.ledgers == 19...19)
        #expect(LakeFileName(key: "some/where/FFFFFFEC--19.xdr.zstd")?.extension == .zstd)
        #expect(LakeFileName(key: "FFFFFFEC--19-19.xdr.zst") == nil)
        #expect(LakeFileName(key: "FFFFFFEC--20.xdr.zst") == nil)
        #expect(LakeFileName(key: ".config.json") == nil)
    }

    @Test func sizesAreAtLeastOne() {
        #expect(LakeLayout(ledgersPerFile: 0, filesPerPartition: 1) == nil)
        #expect(LakeLayout(ledgersPerFile: 1, filesPerPartition: 0) == nil)
    }
}
