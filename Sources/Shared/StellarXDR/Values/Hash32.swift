/// 32 bytes.
public struct Hash32: Hashable, Sendable {
    /// The bytes.
    public let bytes: [UInt8]
    /// Lower-case hexadecimal digits.
    public var hex: String { bytes.map { let text = String($0, radix: 16); return text.count == 1 ? "0" + text : text }.joined() }
    /// From 64 hexadecimal digits.
    public init?(hex: String) {
        guard hex.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var rest = Substring(hex)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self.bytes = bytes
    }
}
