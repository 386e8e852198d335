/// The name of a data lake's ledger file (SEP-54), as it says of itself whatever the lake's layout: `FFFFFFED--18-19.xdr.zst`.
public struct LakeFileName: Sendable, Hashable {
    /// What the names of a lake's files end with.
    public enum Extension: String, Sendable, Hashable, CaseIterable {
        /// Of lakes that Galexie 23 or later began.
        case zst
        /// Of older ones.
        case zstd
    }

    /// The ledgers that the name promises. The first file of a network begins with ledger 2 all the same (see `LakeLayout.firstLedger`).
    public let ledgers: ClosedRange<UInt32>
    /// What the name ends with.
    public let `extension`: Extension

    /// Reads the name out of a key, of which folders may be part; nil where it is not that of a ledger file.
    public init?(key: String) {
        let name = key.utf8.lastIndex(of: UInt8(ascii: "/")).map { key[key.utf8.index(after: $0)...] } ?? key[...]
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "xdr", let suffix = Extension(rawValue: String(parts[2])) else { return nil }
        // Eight digits, two dashes, the first ledger, and the last one where there are several.
        let numbers = parts[0].dropFirst(10).split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(numbers.count), let first = UInt32(numbers[0]), let last = numbers.count == 1 ? first : UInt32(numbers[1]),
            first <= last
        else { return nil }
        ledgers = first...last
        self.extension = suffix
        // The one spelling: no plus sign, no leading zeros, and the digits in front belong to the first ledger.
        guard text == name else { return nil }
    }

    /// The name of the file with these ledgers.
    init(_ ledgers: ClosedRange<UInt32>, _ suffix: Extension) {
        self.ledgers = ledgers
        self.extension = suffix
    }

    /// The name as it is written.
    public var text: String {
        let last = ledgers.upperBound == ledgers.lowerBound ? "" : "-\(ledgers.upperBound)"
        return "\(Self.prefix(of: ledgers.lowerBound))--\(ledgers.lowerBound)\(last).xdr.\(self.extension.rawValue)"
    }

    /// What names of files and folders begin with, so that the newest comes first: how far the first ledger is from the highest number, in eight
    /// hexadecimal digits.
    static func prefix(of first: UInt32) -> String {
        let digits = String(UInt32.max - first, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
