import StellarXDR

/// XDR as the tests need it, written by hand from the definitions.
struct XDRWriter {
    private(set) var bytes: [UInt8] = []

    mutating func u32(_ value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }

    mutating func u64(_ value: UInt64) {
        u32(UInt32(truncatingIfNeeded: value >> 32))
        u32(UInt32(truncatingIfNeeded: value))
    }

    mutating func raw(_ more: [UInt8]) { bytes += more }

    mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }

    mutating func opaque(_ text: [UInt8]) {
        u32(UInt32(text.count))
        bytes += text
        zeros((4 - text.count % 4) % 4)
    }
}

/// An `SCVal` to be encoded.
indirect enum Value: Sendable {
    case void, bool(Bool), u32(UInt32), i32(Int32), u64(UInt64), i64(Int64), u128(UInt128), i128(Int128)
    case u256([UInt64]), i256([UInt64])
    case text(String), symbol(String), bytes([UInt8]), vec([Value]), absentVec, map([(Value, Value)]), absentMap, address(Address)

    /// A map with symbol keys, in the order given.
    static func fields(_ fields: (String, Value)...) -> Value { .map(fields.map { (.symbol($0.0), $0.1) }) }

    func write(to xdr: inout XDRWriter) {
        switch self {
        case .bool(let value): xdr.u32(0); xdr.u32(value ? 1 : 0)
        case .void: xdr.u32(1)
        case .u32(let value): xdr.u32(3); xdr.u32(value)
        case .i32(let value): xdr.u32(4); xdr.u32(UInt32(bitPattern: value))
        case .u64(let value): xdr.u32(5); xdr.u64(value)
        case .i64(let value): xdr.u32(6); xdr.u64(UInt64(bitPattern: value))
        case .u128(let value): xdr.u32(9); wide(value, &xdr)
        case .i128(let value): xdr.u32(10); wide(UInt128(truncatingIfNeeded: value), &xdr)
        case .u256(let words): xdr.u32(11); words.forEach { xdr.u64($0) }
        case .i256(let words): xdr.u32(12); words.forEach { xdr.u64($0) }
        case .bytes(let value): xdr.u32(13); xdr.opaque(value)
        case .text(let value): xdr.u32(14); xdr.opaque(Array(value.utf8))
        case .symbol(let value): xdr.u32(15); xdr.opaque(Array(value.utf8))
        case .vec(let values):
            xdr.u32(16)
            xdr.u32(1)
            xdr.u32(UInt32(values.count))
            values.forEach { $0.write(to: &xdr) }
        case .absentVec: xdr.u32(16); xdr.u32(0)
        case .map(let entries):
            xdr.u32(17)
            xdr.u32(1)
            xdr.u32(UInt32(entries.count))
            for (key, value) in entries {
                key.write(to: &xdr)
                value.write(to: &xdr)
            }
        case .absentMap: xdr.u32(17); xdr.u32(0)
        case .address(let address): xdr.u32(18); address.write(to: &xdr)
        }
    }

    private func wide(_ value: UInt128, _ xdr: inout XDRWriter) {
        xdr.u64(UInt64(truncatingIfNeeded: value >> 64))
        xdr.u64(UInt64(truncatingIfNeeded: value))
    }
}

/// An `SCAddress` to be encoded; keys are 32 equal bytes, or counted up where the order of bytes matters.
enum Address: Sendable {
    case account(UInt8), contract(UInt8), muxed([UInt8], id: UInt64), claimableBalance([UInt8]), pool(UInt8)

    func write(to xdr: inout XDRWriter) {
        switch self {
        case .account(let byte): xdr.u32(0); xdr.u32(0); xdr.raw(Self.key(byte))
        case .contract(let byte): xdr.u32(1); xdr.raw(Self.key(byte))
        case .muxed(let key, let id): xdr.u32(2); xdr.u64(id); xdr.raw(key)
        case .claimableBalance(let hash): xdr.u32(3); xdr.u32(0); xdr.raw(hash)
        case .pool(let byte): xdr.u32(4); xdr.raw(Self.key(byte))
        }
    }

    static func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }
}
