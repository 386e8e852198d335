public import StellarXDR

/// The `key_value` column while it is being written: a flat JSON object as text, behind the version byte of PostgreSQL's binary jsonb.
///
/// The bytes are kept between events and written over, so that a row with `key_value` allocates nothing.
public struct KeyValueText: Sendable {
    /// 0x01, then the text.
    private(set) var bytes: [UInt8] = []
    /// Whether the object has no members yet.
    private var isEmpty = true

    /// Adds a member whose value is a JSON string: a number that JSON's own numbers would not hold exactly.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, text: DecimalText) {
        let isFirst = isEmpty
        bytes.append(addingCapacity: key.utf8.count + text.utf8Count + 6) { (output: inout OutputSpan<UInt8>) in
            output.begin(key, isFirst: isFirst)
            output.append(UInt8(ascii: "\""))
            if text.isNegative { output.append(UInt8(ascii: "-")) }
            output.append(digits: text)
            output.append(UInt8(ascii: "\""))
        }
        isEmpty = false
    }

    /// Adds a member whose value is a JSON number.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, number: UInt32) {
        let text = DecimalText(UInt64(number))
        let isFirst = isEmpty
        bytes.append(addingCapacity: key.utf8.count + text.utf8Count + 4) { (output: inout OutputSpan<UInt8>) in
            output.begin(key, isFirst: isFirst)
            output.append(digits: text)
        }
        isEmpty = false
    }

    /// Writes one object with what `body` adds to it.
    mutating func write(_ body: (inout KeyValueText) -> Void) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(1)
        bytes.append(UInt8(ascii: "{"))
        isEmpty = true
        body(&self)
        bytes.append(UInt8(ascii: "}"))
    }
}

extension OutputSpan<UInt8> {
    /// What comes before a value: at most a comma, two quotation marks, the key and a colon.
    fileprivate mutating func begin(_ key: String, isFirst: Bool) {
        if !isFirst { append(UInt8(ascii: ",")) }
        append(UInt8(ascii: "\""))
        for byte in key.utf8 { append(byte) }
        append(UInt8(ascii: "\""))
        append(UInt8(ascii: ":"))
    }

    fileprivate mutating func append(digits: DecimalText) {
        for index in 0..<digits.digitCount {
            append(UInt8(truncatingIfNeeded: digits.words[index / 8] >> UInt64(index % 8 * 8)))
        }
    }
}
