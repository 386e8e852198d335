import StellarXDR

/// Writes the fields of a tuple one after another: all numbers big-endian, each field behind its length.
///
/// Text is stored in whole words, which may reach past its end: what comes next is written over that, and a row always ends with twelve
/// bytes that are none of these. Every store is checked against the bounds of the row.
extension MutableRawSpan {
    /// A number without a length before it.
    @inline(__always)
    mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at: inout Int) {
        storeBytes(of: number.bigEndian, toByteOffset: at, as: Number.self)
        at &+= MemoryLayout<Number>.size
    }

    /// A field that is a number.
    @inline(__always)
    mutating func putField<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at: inout Int) {
        put(Int32(MemoryLayout<Number>.size), at: &at)
        put(number, at: &at)
    }

    /// A field without a value.
    @inline(__always)
    mutating func putNull(at: inout Int) {
        put(-1 as Int32, at: &at)
    }

    /// The 33 bytes of an address.
    @inline(__always)
    mutating func putField(_ address: SCAddressView, at: inout Int) {
        put(33 as Int32, at: &at)
        put(address.kind.rawValue, at: &at)
        put(address.key.words.0, at: &at)
        put(address.key.words.1, at: &at)
        put(address.key.words.2, at: &at)
        put(address.key.words.3, at: &at)
    }

    /// The decimal text of a number, if there is one.
    @inline(__always)
    mutating func putField(_ decimal: DecimalText?, at: inout Int) {
        guard let decimal else { return putNull(at: &at) }
        put(Int32(truncatingIfNeeded: decimal.utf8Count), at: &at)
        if decimal.isNegative { put(UInt8(ascii: "-"), at: &at) }
        let end = at &+ decimal.digitCount
        var index = 0
        while at < end {
            storeBytes(of: decimal.words[index].littleEndian, toByteOffset: at, as: UInt64.self)
            at &+= 8
            index &+= 1
        }
        at = end
    }

    /// Bytes as they are.
    @inline(__always)
    mutating func putField(_ bytes: [UInt8], at: inout Int) {
        put(Int32(truncatingIfNeeded: bytes.count), at: &at)
        for byte in bytes { put(byte, at: &at) }
    }

    /// Category and reason, their lengths included.
    @inline(__always)
    mutating func put(_ template: KindTemplate, at: inout Int) {
        for index in template.words.indices {
            storeBytes(of: template.words[index].littleEndian, toByteOffset: at &+ index &* 8, as: UInt64.self)
        }
        at &+= template.count
    }
}
