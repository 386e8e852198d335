/// Appends XDR (RFC 4506) to a byte array: big-endian words, variable-length data padded with zeros to four bytes.
///
/// The simulator encodes with code of its own, so that what it serves is no echo of the reader that it tests.
struct XDRWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func uint32(_ value: UInt32) {
        bytes.append(addingCapacity: 4) { $0.append(bigEndian: value) }
    }

    mutating func int32(_ value: Int32) { uint32(UInt32(bitPattern: value)) }

    mutating func uint64(_ value: UInt64) {
        bytes.append(addingCapacity: 8) { $0.append(bigEndian: value) }
    }

    mutating func int64(_ value: Int64) { uint64(UInt64(bitPattern: value)) }

    mutating func bool(_ value: Bool) { uint32(value ? 1 : 0) }

    /// An array's or string's element count.
    mutating func count(_ value: Int) { uint32(UInt32(truncatingIfNeeded: value)) }

    mutating func fixed(_ value: Bytes32) {
        bytes.append(addingCapacity: 32) { span in
            span.append(bigEndian: value.words.0)
            span.append(bigEndian: value.words.1)
            span.append(bigEndian: value.words.2)
            span.append(bigEndian: value.words.3)
        }
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

extension OutputSpan<UInt8> {
    /// Appends an integer, highest byte first.
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
