/// The arms of `SCVal` (`SCValType`).
public enum SCValueType: UInt32, Sendable, CaseIterable {
    case bool = 0, void, error, u32, i32, u64, i64, timepoint, duration, u128, i128, u256, i256, bytes, string, symbol
    case vector, map, address, contractInstance, ledgerKeyContractInstance, ledgerKeyNonce
}

/// An `SCVal` inside a ledger's bytes. Valid as long as the event that it belongs to; every accessor gives nil where the value is of
/// another type.
public struct SCValueView {
    let bytes: UnsafeRawBufferPointer
    /// Where the discriminant is.
    let offset: Int

    init(bytes: UnsafeRawBufferPointer, offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The type of the value; nil only for bytes that no reader accepted.
    public var type: SCValueType? {
        bytes.number32(at: offset).flatMap(SCValueType.init(rawValue:))
    }

    /// The text of a symbol (`SCSymbol`).
    public var symbol: SCSymbolView? {
        guard has(.symbol), let length = bytes.number32(at: offset + 4), Int(length) <= bytes.count - (offset + 8) else { return nil }
        return SCSymbolView(bytes: bytes, offset: offset + 8, count: Int(length))
    }

    /// An address (`SCAddress`).
    public var address: SCAddressView? {
        guard has(.address) else { return nil }
        return SCAddressView(loading: bytes, at: offset + 4)
    }

    /// An unsigned 32-bit number.
    public var u32: UInt32? {
        guard has(.u32) else { return nil }
        return bytes.number32(at: offset + 4)
    }

    /// An unsigned 64-bit number.
    public var u64: UInt64? {
        guard has(.u64) else { return nil }
        return bytes.number64(at: offset + 4)
    }

    /// An unsigned 128-bit number (`UInt128Parts`: high, low).
    public var u128: UInt128? {
        guard has(.u128), let high = bytes.number64(at: offset + 4), let low = bytes.number64(at: offset + 12) else { return nil }
        return UInt128(high) << 64 | UInt128(low)
    }

    /// A signed 128-bit number (`Int128Parts`: high, low).
    public var i128: Int128? {
        guard has(.i128), let high = bytes.number64(at: offset + 4), let low = bytes.number64(at: offset + 12) else { return nil }
        return Int128(truncatingIfNeeded: UInt128(high) << 64 | UInt128(low))
    }

    /// An unsigned 256-bit number (`UInt256Parts`, most significant word first).
    public var u256: UInt256? {
        guard has(.u256), let words = Hash32(loading: bytes, at: offset + 4)?.words else { return nil }
        return UInt256(words: words)
    }

    /// The elements of a vector; nil also for a vector that is absent (`SCVec*` without its value).
    public var vector: SCValueList? {
        guard has(.vector), let count = elementCount else { return nil }
        return SCValueList(bytes: bytes, offset: offset + 12, count: count)
    }

    /// The entries of a map; nil also for a map that is absent (`SCMap*` without its value).
    public var map: SCMapView? {
        guard has(.map), let count = elementCount else { return nil }
        return SCMapView(bytes: bytes, offset: offset + 12, count: count)
    }

    /// Where the value ends; nil if stepping over it fails.
    var end: Int? {
        try? XDRSkip.scVal(bytes, offset, XDRSkip.depthLimit)
    }

    private func has(_ type: SCValueType) -> Bool {
        bytes.number32(at: offset) == type.rawValue
    }

    /// The length of a vector or map that is present: the optional's flag, then the count.
    private var elementCount: Int? {
        guard bytes.number32(at: offset + 4) == 1, let count = bytes.number32(at: offset + 8) else { return nil }
        return Int(count)
    }
}

extension UnsafeRawBufferPointer {
    /// A big-endian 32-bit number; nil outside the buffer.
    @inline(__always)
    func number32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset <= count - 4 else { return nil }
        return UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A big-endian 64-bit number; nil outside the buffer.
    @inline(__always)
    func number64(at offset: Int) -> UInt64? {
        guard offset >= 0, offset <= count - 8 else { return nil }
        return UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
