/// Percent-encoding as signatures want it (RFC 3986: all but the unreserved characters, hexadecimal digits in capitals).
package enum PercentEncoding {
    /// - Parameter keepingSlashes: true for a path, false for a part of a query.
    package static func encode(_ text: String, keepingSlashes: Bool) -> String {
        var result = [UInt8]()
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where keepingSlashes: result.append(byte)
            default: result += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `name=value` pairs, sorted as signatures want them, joined by `&`.
    package static func query(_ items: [(name: String, value: String)]) -> String {
        let encoded = items.map { (encode($0.name, keepingSlashes: false), encode($0.value, keepingSlashes: false)) }
        return encoded.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
