/// Base32 of RFC 4648 without padding, the alphabet of strkeys.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// The text of some bytes; the last character is filled with zero bits.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var pending: UInt32 = 0
        var pendingBits = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            pendingBits += 8
            while pendingBits >= 5 {
                pendingBits -= 5
                text.append(alphabet[Int(pending >> UInt32(pendingBits) & 31)])
            }
            pending &= (1 << UInt32(pendingBits)) - 1
        }
        if pendingBits > 0 { text.append(alphabet[Int(pending << UInt32(5 - pendingBits) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text. Only one text stands for given bytes: no lower case, no padding, unused bits 0, no character too many.
    static func decode(_ text: String) throws(StrkeyError) -> [UInt8] {
        var bytes: [UInt8] = []
        var pending: UInt32 = 0
        var pendingBits = 0
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = character - UInt8(ascii: "A")
            case UInt8(ascii: "2")...UInt8(ascii: "7"): digit = character - UInt8(ascii: "2") + 26
            default: throw .character
            }
            pending = pending << 5 | UInt32(digit)
            pendingBits += 5
            if pendingBits >= 8 {
                pendingBits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> UInt32(pendingBits)))
                pending &= (1 << UInt32(pendingBits)) - 1
            }
        }
        // Five bits or more would be a whole character that says nothing.
        guard pendingBits < 5, pending == 0 else { throw .strayBits }
        return bytes
    }
}
