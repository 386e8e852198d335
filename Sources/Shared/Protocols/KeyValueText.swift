public import StellarXDR

/// The `key_value` column while it is being written: a flat JSON object as text, behind the version byte of PostgreSQL's binary jsonb.
///
/// The bytes are kept between events and written over, so that a row with `key_value` allocates nothing.
public struct KeyValueText: Sendable {
    /// 0x01, then the text.
    private(set) var bytes: [UInt8] = [1]

    /// Adds a member whose value is a JSON string: a number that JSON's own numbers would not hold exactly.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, text: DecimalText) {
        begin(key)
        bytes.append(UInt8(ascii: "\""))
        if text.isNegative { bytes.append(UInt8(ascii: "-")) }
        append(digits: text)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Adds a member whose value is a JSON number.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, number: UInt32) {
        begin(key)
        append(digits: DecimalText(UInt64(number)))
    }

    /// Writes one object with what `body` adds to it.
    mutating func write(_ body: (inout KeyValueText) -> Void) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(1)
        body(&self)
        // An object without members has not got its opening brace yet.
        if bytes.count == 1 { bytes.append(UInt8(ascii: "{")) }
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func begin(_ key: String) {
        bytes.append(UInt8(ascii: bytes.count == 1 ? "{" : ","))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: key.utf8)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func append(digits: DecimalText) {
        for index in 0..<digits.digitCount {
            bytes.append(UInt8(truncatingIfNeeded: digits.words[index / 8] >> UInt64(index % 8 * 8)))
        }
    }
}
