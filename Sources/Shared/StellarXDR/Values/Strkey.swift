/// An address as people write it (SEP-23): base32 of a version byte, a payload and a checksum.
public struct Strkey: Hashable, Sendable, CustomStringConvertible {
    /// What the key names.
    public let kind: StrkeyKind
    /// The bytes between version byte and checksum; as many as ``StrkeyKind/payloadLength`` says.
    public let payload: [UInt8]

    /// Makes a key of its parts.
    /// - Throws: ``StrkeyError/payloadLength`` for a number of bytes that the kind does not have, ``StrkeyError/claimableBalanceType`` for a
    ///   claimable balance whose type byte is not 0 (`CLAIMABLE_BALANCE_ID_TYPE_V0`).
    public init(kind: StrkeyKind, payload: [UInt8]) throws(StrkeyError) {
        guard payload.count == kind.payloadLength else { throw .payloadLength }
        if kind == .claimableBalance, payload[0] != 0 { throw .claimableBalanceType }
        self.kind = kind
        self.payload = payload
    }

    /// Reads a key from its text; every bit is checked.
    /// - Throws: the ``StrkeyError`` that says what is wrong.
    public init(_ text: String) throws(StrkeyError) {
        let bytes = try Base32.decode(text)
        guard bytes.count >= 3 else { throw .payloadLength }
        guard let kind = StrkeyKind(rawValue: bytes[0]) else { throw .version }
        let body = bytes.dropLast(2)
        let checksum = UInt16(bytes[bytes.count - 2]) | UInt16(bytes[bytes.count - 1]) << 8
        guard Self.checksum(body) == checksum else { throw .checksum }
        try self.init(kind: kind, payload: Array(body.dropFirst()))
    }

    /// The key of a contract.
    public init(contract: Hash32) {
        kind = .contract
        payload = contract.bytes
    }

    /// The text.
    public var description: String {
        let body = [kind.rawValue] + payload
        let checksum = Self.checksum(body[...])
        return Base32.encode(body + [UInt8(checksum & 0xFF), UInt8(checksum >> 8)])
    }

    /// CRC-16/XMODEM: polynomial 0x1021, start 0, nothing reflected; a strkey holds it low byte first.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
        }
        return crc
    }
}

/// Why a text is no strkey, or bytes make none.
public enum StrkeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A character outside A-Z, 2-7.
    case character
    /// A length that base32 without padding cannot have, or bits left over that are not 0.
    case strayBits
    /// A version byte of none of the known kinds.
    case version
    /// The checksum is that of other bytes.
    case checksum
    /// The kind has payloads of another length.
    case payloadLength
    /// A claimable balance of an unknown type.
    case claimableBalanceType

    /// What is wrong, in words.
    public var description: String {
        switch self {
        case .character: "not a strkey: a character is not of base32's A-Z and 2-7"
        case .strayBits: "not a strkey: its length or last bits are not those of whole bytes"
        case .version: "not a strkey of an account, muxed account, contract, liquidity pool or claimable balance: unknown version byte"
        case .checksum: "not a strkey: the checksum does not match, a character was mistyped or lost"
        case .payloadLength: "not a strkey: its kind has a payload of another length"
        case .claimableBalanceType: "not a strkey: unknown type of claimable balance"
        }
    }
}
