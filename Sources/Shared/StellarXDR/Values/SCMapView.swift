/// An `SCMap` inside a ledger's bytes.
public struct SCMapView {
    let bytes: UnsafeRawBufferPointer
    let offset: Int
    /// How many entries there are, those with the same key counted each.
    public let count: Int

    init(bytes: UnsafeRawBufferPointer, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// The value of the last entry whose key is a symbol of this name; nil if there is none. Walks the map.
    ///
    /// The host sorts the keys of a map and allows each once, but the bytes of an event need not come from it.
    public subscript(name: StaticString) -> SCValueView? {
        var found: SCValueView?
        // Keys and values alternate, so a map is a list of twice as many values.
        var values = SCValueList(bytes: bytes, offset: offset, count: count * 2).makeIterator()
        while let key = values.next(), let value = values.next() {
            if let symbol = key.symbol, symbol == name { found = value }
        }
        return found
    }
}
