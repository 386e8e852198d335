/// The bytes of one XDR value, read in place with explicit offsets.
///
/// The reader asks once, with `require`, for a run of neighbouring fields, and then reads them with functions that check nothing in
/// release builds. Debug builds assert every read. It never leaves the `withUnsafeBytes` that it is made in: what a reader hands out are spans.
@safe
struct XDRBytes {
    let base: UnsafeRawPointer
    let count: Int

    init(_ bytes: UnsafeRawBufferPointer, _ field: StaticString) throws(XDRError) {
        guard let base = bytes.baseAddress else { throw .unexpectedEnd(0, needed: 4, remaining: 0, field) }
        unsafe self.base = base
        count = bytes.count
    }

    /// The same bytes as a span.
    var span: RawSpan {
        @_lifetime(borrow self)
        get { unsafe RawSpan(_unsafeStart: base, byteCount: count) }
    }

    // MARK: Reads of bytes that are known to be there

    @inline(__always)
    func uint32(_ at: Int) -> UInt32 {
        assert(at >= 0 && at + 4 <= count)
        return unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    @inline(__always)
    func int32(_ at: Int) -> Int32 {
        Int32(bitPattern: uint32(at))
    }

    @inline(__always)
    func uint64(_ at: Int) -> UInt64 {
        assert(at >= 0 && at + 8 <= count)
        return unsafe UInt64(bigEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// An opaque value of 32 bytes.
    @inline(__always)
    func hash32(_ at: Int) -> Hash32 {
        Hash32(words: (uint64(at), uint64(at &+ 8), uint64(at &+ 16), uint64(at &+ 24)))
    }

    // MARK: Checks

    /// Throws unless `needed` bytes are left at `at`.
    @inline(__always)
    func require(_ at: Int, _ needed: Int, _ field: StaticString) throws(XDRError) {
        if count &- at < needed { throw .unexpectedEnd(at, needed: needed, remaining: count &- at, field) }
    }

    /// The discriminant of a union of one arm.
    @inline(__always)
    func checkDiscriminant(_ at: Int, _ only: Int32, _ field: StaticString) throws(XDRError) {
        if int32(at) != only { throw .badDiscriminant(int32(at), at, field) }
    }

    /// The only arm of an `ExtensionPoint`.
    @inline(__always)
    func checkExtensionPoint(_ at: Int) throws(XDRError) {
        try checkDiscriminant(at, 0, "ExtensionPoint.v")
    }

    /// Whether an optional value follows.
    @inline(__always)
    func flag(_ at: Int, _ field: StaticString) throws(XDRError) -> Bool {
        let word = uint32(at)
        if word > 1 { throw .badOptionalFlag(word, at, field) }
        return word == 1
    }

    /// The number of elements of an array, whose length word is at `at`. So many elements of at least `elementSize` bytes are known to fit
    /// into what is left: a forged length ends here, not in a long loop.
    @inline(__always)
    func count(_ at: Int, elementSize: Int, max: UInt32 = .max, _ field: StaticString) throws(XDRError) -> UInt32 {
        let length = uint32(at)
        if length > max { throw .lengthExceedsMax(length, max: max, at, field) }
        // 2^32 elements of less than 2^16 bytes: no overflow.
        if Int(length) &* elementSize > count &- at &- 4 { throw .lengthExceedsInput(length, remaining: count &- at &- 4, at, field) }
        return length
    }
}

extension [UInt8] {
    /// The bytes of a span as an array of their own, for a ledger that must outlive the page that it came in.
    public init(copying span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
