/// `SCVal`s that stand one after another: the topics of an event, the elements of a vector.
///
/// Values have no fixed size, so the nth is found by stepping over those before it.
public struct SCValueList: Sequence {
    let bytes: UnsafeRawBufferPointer
    let offset: Int
    /// How many values there are.
    public let count: Int

    init(bytes: UnsafeRawBufferPointer, offset: Int, count: Int) {
        self.bytes = bytes
        self.offset = offset
        self.count = count
    }

    /// The first value; nil in an empty list.
    public var first: SCValueView? {
        count > 0 ? SCValueView(bytes: bytes, offset: offset) : nil
    }

    /// The value at an index from 0; nil outside the list. Takes time proportional to the index.
    public subscript(index: Int) -> SCValueView? {
        guard index >= 0, index < count else { return nil }
        var iterator = makeIterator()
        for _ in 0..<index { _ = iterator.next() }
        return iterator.next()
    }

    /// Starts at the first value.
    public func makeIterator() -> Iterator {
        Iterator(bytes: bytes, offset: offset, remaining: count)
    }

    /// Steps from value to value; each is stepped over only when the one after it is asked for.
    public struct Iterator: IteratorProtocol {
        let bytes: UnsafeRawBufferPointer
        /// Where the value given last begins, or the first value while none was given.
        var offset: Int
        var remaining: Int
        var started = false

        init(bytes: UnsafeRawBufferPointer, offset: Int, remaining: Int) {
            self.bytes = bytes
            self.offset = offset
            self.remaining = remaining
        }

        /// The next value; nil at the end.
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
