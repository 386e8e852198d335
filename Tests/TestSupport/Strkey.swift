/// The bytes that `state_changes` holds of an address, from its strkey (SEP-23: base32 of a version byte, a payload and a checksum).
package struct Strkey: Hashable {
    /// The version byte and the first 32 bytes of the payload.
    package let columnBytes: [UInt8]

    /// Reads a strkey; it must be one whose checksum is right.
    package init(_ text: String) throws {
        var bytes: [UInt8] = []
        var pending: UInt32 = 0
        var bits: UInt32 = 0
        for character in text.utf8 {
            guard let digit = Self.alphabet.firstIndex(of: character) else { throw Malformed(text: text) }
            pending = (pending << 5 | UInt32(digit)) & 0xFFF
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        // CRC-16/XMODEM, low byte first; over bytes that end with their own checksum, high byte first, it is 0.
        let checked = bytes.dropLast(2) + bytes.suffix(2).reversed()
        guard bytes.count >= 35, Self.checksum(checked) == 0 else { throw Malformed(text: text) }
        columnBytes = Array(bytes.prefix(33))
    }

    /// A text that is no strkey.
    package struct Malformed: Error {
        let text: String
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { checksum, byte in
            (0..<8).reduce(checksum ^ UInt16(byte) << 8) { value, _ in value & 0x8000 == 0 ? value << 1 : value << 1 ^ 0x1021 }
        }
    }
}
