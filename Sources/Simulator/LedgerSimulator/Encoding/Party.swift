/// Who an event is about: one arm of `SCAddress`.
enum Party: Hashable, Sendable {
    case account(Bytes32)
    case contract(Bytes32)
    case muxed(id: UInt64, key: Bytes32)
    case claimableBalance(Bytes32)
    case liquidityPool(Bytes32)

    /// The strkey (SEP-23) under which rows know it: base32 of version byte, payload and CRC16-XModem, without padding. That of a muxed account
    /// is its base account's.
    var strkey: String {
        switch self {
        case .account(let key), .muxed(_, let key): Self.strkey(version: 6 << 3, key.bytes)
        case .contract(let id): Self.strkey(version: 2 << 3, id.bytes)
        case .claimableBalance(let id): Self.strkey(version: 1 << 3, [0] + id.bytes)
        case .liquidityPool(let id): Self.strkey(version: 11 << 3, id.bytes)
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    private static func strkey(version: UInt8, _ payload: [UInt8]) -> String {
        var data = [version] + payload
        let checksum = crc16(data)
        data.append(UInt8(truncatingIfNeeded: checksum))
        data.append(UInt8(truncatingIfNeeded: checksum >> 8))
        var text: [UInt8] = []
        text.reserveCapacity(72)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for byte in data {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 5 {
                bitCount -= 5
                text.append(alphabet[Int(bits >> bitCount & 31)])
            }
        }
        if bitCount > 0 { text.append(alphabet[Int(bits << (5 - bitCount) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func crc16(_ data: [UInt8]) -> UInt16 {
        data.reduce(0) { checksum, byte in
            (0..<8).reduce(checksum ^ UInt16(byte) << 8) { value, _ in
                value & 0x8000 == 0 ? value << 1 : value << 1 ^ 0x1021
            }
        }
    }
}
