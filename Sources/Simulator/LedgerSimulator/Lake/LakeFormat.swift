internal import Zstd

/// Keys and contents of a data lake's files (SEP-54).
///
/// Written apart from the reader that it tests, as all that the simulator encodes: a mistake must not be made twice.
struct LakeFormat: Sendable {
    /// Where the manifest lies.
    static let manifestKey = ".config.json"
    /// The first ledger of a network: ledger 1 is its genesis, and in no lake.
    static let firstLedger: UInt32 = 2
    /// What a file may hold, as the Go tools see it.
    static let contentLimit = 1 << 30
    /// A content up to this length is one block of a frame, which then states the length.
    private static let blockLength = 128 << 10
    /// Window of all longer frames: 8 MiB.
    private static let windowLog: Int32 = 23

    let ledgersPerFile: UInt32
    let filesPerPartition: UInt32
    /// What names end with: zst, or zstd in lakes of old.
    let suffix: String

    /// The numbers in the name of the file that has this ledger.
    func file(of ledger: UInt32) -> ClosedRange<UInt32> { Self.range(of: ledger, UInt64(ledgersPerFile)) }

    /// The ledgers that this file really holds; nil where they are none.
    static func ledgers(in file: ClosedRange<UInt32>) -> ClosedRange<UInt32>? {
        file.upperBound < firstLedger ? nil : max(file.lowerBound, firstLedger)...file.upperBound
    }

    /// The key of a file.
    func key(of file: ClosedRange<UInt32>) -> String {
        let name = Self.inverted(file.lowerBound) + (file.count > 1 ? "-\(file.upperBound)" : "") + ".xdr.\(suffix)"
        guard filesPerPartition > 1 else { return name }
        let partition = Self.range(of: file.lowerBound, UInt64(ledgersPerFile) * UInt64(filesPerPartition))
        return Self.inverted(partition.lowerBound) + "-\(partition.upperBound)/" + name
    }

    /// The ledgers in the name of a file, nil for any other name.
    static func file(ofKey key: String) -> ClosedRange<UInt32>? {
        let name = key.split(separator: "/").last ?? ""
        guard let suffix = [".xdr.zst", ".xdr.zstd"].first(where: name.hasSuffix) else { return nil }
        let fields = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count == 3 || fields.count == 4, fields[1].isEmpty, let first = UInt32(fields[2]),
            let last = fields.count == 4 ? UInt32(fields[3]) : first, first <= last, name.hasPrefix(inverted(first))
        else { return nil }
        return first...last
    }

    /// `.config.json`.
    func manifest(passphrase: String) -> String {
        """
        {"networkPassphrase":\(JSONValue.quoted(passphrase)),"version":"1.0","compression":"zstd","ledgersPerBatch":\(ledgersPerFile),\
        "batchesPerPartition":\(filesPerPartition)}
        """
    }

    /// A `LedgerCloseMetaBatch` of consecutive ledgers in one frame, framed as the objects of real lakes.
    static func object(_ ledgers: ClosedRange<UInt32>, from supply: any LedgerSupply) throws -> [UInt8] {
        var batch = XDRWriter()
        batch.uint32(ledgers.lowerBound)
        batch.uint32(ledgers.upperBound)
        batch.count(ledgers.count)
        for sequence in ledgers {
            batch.raw(supply.ledger(sequence).xdr)
            guard batch.bytes.count <= contentLimit else {
                throw SimulatorError.range(
                    "ledgers \(ledgers.lowerBound)-\(ledgers.upperBound) exceed 1 GiB in one file; choose a smaller --ledgers-per-file")
            }
        }
        let content = batch.bytes
        let isOneBlock = content.count <= blockLength
        return try Zstd.compress(content.span, statesSize: isOneBlock, windowLog: isOneBlock ? nil : windowLog)
    }

    private static func range(of ledger: UInt32, _ length: UInt64) -> ClosedRange<UInt32> {
        let index = UInt64(ledger) / length
        return UInt32(index * length)...UInt32(clamping: index * length + length - 1)
    }

    /// How far a number is from the highest one, in eight digits, so that the newest sorts first; and the number itself.
    private static func inverted(_ number: UInt32) -> String {
        let digits = String(~number, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - digits.count) + digits + "--\(number)"
    }
}
