/// The arms of `SCVal` (`SCValType`).
public enum SCValueType: UInt32, Sendable, CaseIterable {
    case bool = 0, void, error, u32, i32, u64, i64, timepoint, duration, u128, i128, u256, i256, bytes, string, symbol
    case vector, map, address, contractInstance, ledgerKeyContractInstance, ledgerKeyNonce
}

/// An `SCVal` inside a ledger's bytes. Valid as long as the event that it belongs to; every accessor gives nil where the value is of
/// another type.
public struct SCValueView: ~Escapable {
    let bytes: RawSpan
    /// Where the discriminant is.
    let offset: Int

    @_lifetime(copy bytes)
    init(bytes: RawSpan, offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The type of the value; nil only for bytes that no reader accepted.
    public var type: SCValueType? {
        bytes.number32(at: offset).flatMap(SCValueType.init(rawValue:))
    }

    /// The text of a symbol (`SCSymbol`).
    public var symbol: SCSymbolView? {
        @_lifetime(copy self)
        get {
            guard has(.symbol), let length = bytes.number32(at: offset + 4), Int(length) <= bytes.byteCount - (offset + 8) else {
                return nil
            }
            return SCSymbolView(bytes: bytes, offset: offset + 8, count: Int(length))
        }
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
        guard has(.u256), let words = Hash32(bytes, at: offset + 4)?.words else { return nil }
        return UInt256(words: words)
    }

    /// The elements of a vector; nil also for a vector that is absent (`SCVec*` without its value).
    public var vector: SCValueList? {
        @_lifetime(copy self)
        get {
            guard has(.vector), let count = elementCount else { return nil }
            return SCValueList(bytes: bytes, offset: offset + 12, count: count)
        }
    }

    /// The entries of a map; nil also for a map that is absent (`SCMap*` without its value).
    public var map: SCMapView? {
        @_lifetime(copy self)
        get {
            guard has(.map), let count = elementCount else { return nil }
            return SCMapView(bytes: bytes, offset: offset + 12, count: count)
        }
    }

    /// Where the value's XDR lies in the bytes of the ledger that the event came from; nil only for bytes that no reader accepted.
    package var byteRange: Range<Int>? {
        end.map { offset..<$0 }
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

/// The text of an `SCSymbol` inside a ledger's bytes: at most 32 bytes, by convention letters, digits and underscores.
public struct SCSymbolView: ~Escapable {
    let bytes: RawSpan
    let offset: Int
    /// Length in bytes.
    public let count: Int

    @_lifetime(copy bytes)
    init(bytes: RawSpan, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// Whether the symbol is exactly this name.
    public static func == (symbol: SCSymbolView, name: StaticString) -> Bool {
        guard symbol.count == name.utf8CodeUnitCount, symbol.offset >= 0, symbol.offset <= symbol.bytes.byteCount - symbol.count else {
            return false
        }
        return name.withUTF8Buffer { expected in
            for index in 0..<expected.count where unsafe symbol.byte(index) != expected[index] { return false }
            return true
        }
    }

    /// A byte of the symbol; the load is checked against the bounds of the ledger.
    @inline(__always)
    private func byte(_ index: Int) -> UInt8 {
        unsafe bytes.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
    }

    /// Lets a symbol stand in a `switch` over names.
    public static func ~= (name: StaticString, symbol: SCSymbolView) -> Bool {
        symbol == name
    }

    /// What tells two symbols apart, for a set: the bytes, filled up with zeros, and how many they are.
    struct Identity: Hashable {
        let bytes: Hash32
        let count: Int
    }

    /// Nil for more bytes than a symbol may have.
    var identity: Identity? {
        guard count <= 32, offset >= 0, offset <= bytes.byteCount - count else { return nil }
        var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
        for index in 0..<count { words[index / 8] |= UInt64(byte(index)) << UInt64(56 - index % 8 * 8) }
        return Identity(bytes: Hash32(words: (words[0], words[1], words[2], words[3])), count: count)
    }

    /// The symbol as text; bytes that are not UTF-8 are replaced.
    public var text: String {
        guard offset >= 0, offset <= bytes.byteCount - count else { return "" }
        return String(decoding: [UInt8](copying: bytes.extracting(offset..<offset + count)), as: UTF8.self)
    }
}

/// `SCVal`s that stand one after another: the topics of an event, the elements of a vector.
///
/// Values have no fixed size, so the nth is found by stepping over those before it.
public struct SCValueList: ~Escapable {
    let bytes: RawSpan
    let offset: Int
    /// How many values there are.
    public let count: Int

    @_lifetime(copy bytes)
    init(bytes: RawSpan, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// The first value; nil in an empty list.
    public var first: SCValueView? {
        @_lifetime(copy self)
        get {
            count > 0 ? SCValueView(bytes: bytes, offset: offset) : nil
        }
    }

    /// The value at an index from 0; nil outside the list. Takes time proportional to the index.
    public subscript(index: Int) -> SCValueView? {
        @_lifetime(copy self)
        get {
            guard index >= 0, index < count else { return nil }
            var iterator = makeIterator()
            for _ in 0..<index { _ = iterator.next() }
            return iterator.next()
        }
    }

    /// Starts at the first value.
    @_lifetime(copy self)
    public func makeIterator() -> Iterator {
        Iterator(bytes: bytes, offset: offset, remaining: count)
    }

    /// Steps from value to value; each is stepped over only when the one after it is asked for.
    public struct Iterator: ~Escapable {
        let bytes: RawSpan
        /// Where the value given last begins, or the first value while none was given.
        var offset: Int
        var remaining: Int
        var started = false

        @_lifetime(copy bytes)
        init(bytes: RawSpan, offset: Int, remaining: Int) {
            self.bytes = bytes
            self.offset = offset
            self.remaining = remaining
        }

        /// The next value; nil at the end.
        @_lifetime(copy self)
        public mutating func next() -> SCValueView? {
            guard remaining > 0 else { return nil }
            remaining -= 1
            if started {
                guard let end = SCValueView(bytes: bytes, offset: offset).end else {
                    remaining = 0
                    return nil
                }
                offset = end
            }
            started = true
            return SCValueView(bytes: bytes, offset: offset)
        }
    }
}

/// An `SCMap` inside a ledger's bytes.
public struct SCMapView: ~Escapable {
    let bytes: RawSpan
    let offset: Int
    /// How many entries there are, those with the same key counted each.
    public let count: Int

    @_lifetime(copy bytes)
    init(bytes: RawSpan, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// The value of the last entry whose key is a symbol of this name; nil if there is none. Walks the map.
    ///
    /// The host sorts the keys of a map and allows each once, but the bytes of an event need not come from it.
    public subscript(name: StaticString) -> SCValueView? {
        @_lifetime(copy self)
        get {
            var found: SCValueView?
            // Keys and values alternate, so a map is a list of twice as many values.
            var values = SCValueList(bytes: bytes, offset: offset, count: count * 2).makeIterator()
            while let key = values.next(), let value = values.next() {
                if let symbol = key.symbol, symbol == name { found = value }
            }
            return found
        }
    }

    /// Whether every key is a symbol and none occurs twice. Walks the map.
    public var keysAreDistinctSymbols: Bool {
        // Hashed, so that a map of many keys in no order takes no more than its length.
        var seen = Set<SCSymbolView.Identity>(minimumCapacity: Swift.min(count, 16))
        var entries = 0
        var values = SCValueList(bytes: bytes, offset: offset, count: count * 2).makeIterator()
        while let key = values.next(), values.next() != nil {
            guard let identity = key.symbol?.identity, seen.insert(identity).inserted else { return false }
            entries += 1
        }
        return entries == count
    }
}

extension RawSpan {
    /// A big-endian 32-bit number; nil outside the span.
    @inline(__always)
    func number32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset <= byteCount - 4 else { return nil }
        return unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A big-endian 64-bit number; nil outside the span.
    @inline(__always)
    func number64(at offset: Int) -> UInt64? {
        guard offset >= 0, offset <= byteCount - 8 else { return nil }
        return unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
