/// The text of an `SCSymbol` inside a ledger's bytes: at most 32 bytes, by convention letters, digits and underscores.
public struct SCSymbolView {
    let bytes: UnsafeRawBufferPointer
    let offset: Int
    /// Length in bytes.
    public let count: Int

    init(bytes: UnsafeRawBufferPointer, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// Whether the symbol is exactly this name.
    public static func == (symbol: SCSymbolView, name: StaticString) -> Bool {
        guard symbol.count == name.utf8CodeUnitCount, symbol.offset >= 0, symbol.offset <= symbol.bytes.count - symbol.count else {
            return false
        }
        return name.withUTF8Buffer { expected in
            for index in 0..<expected.count where symbol.bytes[symbol.offset + index] != expected[index] { return false }
            return true
        }
    }

    /// Lets a symbol stand in a `switch` over names.
    public static func ~= (name: StaticString, symbol: SCSymbolView) -> Bool {
        symbol == name
    }

    /// The symbol as text; bytes that are not UTF-8 are replaced.
    public var text: String {
        guard offset >= 0, offset <= bytes.count - count else { return "" }
        return String(decoding: bytes[offset..<offset + count], as: UTF8.self)
    }
}
