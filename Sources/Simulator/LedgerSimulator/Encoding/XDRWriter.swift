/// Appends XDR (RFC 4506) to a byte array: big-endian words, variable-length data padded with zeros to four bytes.
///
/// The simulator encodes with code of its own, so that what it serves is no echo of the reader that it tests.
struct XDRWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func uint32(_ value: UInt32) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 24))
        bytes.append(UInt8(truncatingIfNeeded: value >> 16))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    mutating func int32(_ value: Int32) { uint32(UInt32(bitPattern: value)) }

    mutating func uint64(_ value: UInt64) {
        uint32(UInt32(truncatingIfNeeded: value >> 32))
        uint32(UInt32(truncatingIfNeeded: value))
    }

    mutating func int64(_ value: Int64) { uint64(UInt64(bitPattern: value)) }

    mutating func bool(_ value: Bool) { uint32(value ? 1 : 0) }

    /// An array's or string's element count.
    mutating func count(_ value: Int) { uint32(UInt32(truncatingIfNeeded: value)) }

    mutating func fixed(_ value: Bytes32) {
        uint64(value.words.0)
        uint64(value.words.1)
        uint64(value.words.2)
        uint64(value.words.3)
    }

    /// Variable-length opaque data: length, bytes, padding.
    mutating func opaque(_ value: some Collection<UInt8>) {
        count(value.count)
        bytes.append(contentsOf: value)
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func string(_ value: String) { opaque(value.utf8) }

    /// Bytes that are XDR already.
    mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }
}
