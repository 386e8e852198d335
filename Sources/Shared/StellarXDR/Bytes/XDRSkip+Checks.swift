/// Steps over XDR values in place and checks them. Scripts/generate-xdr.py makes a function of it for each XDR type; here is what they are
/// made of.
///
/// Offsets count from the end of the bytes: -4 is the last word, 0 the end. A bounds check is then one comparison with a constant.
///
/// A function gives the offset behind its value. If the value is wrong it notes why and gives `failed`, an offset beyond the end, where no
/// further check succeeds: a caller need not look, and what calls another function last jumps there. Thrown errors took a branch behind every
/// call and a frame in every function, a third of all instructions of a walk.
@safe
struct XDRSkip: ~Copyable {
    /// How deep values of recursive types (SCVal, ClaimPredicate, SCPQuorumSet, invocations, delegate signatures) may be nested in
    /// themselves. The Rust implementation that the network runs has the same limit but counts every type, so it stops earlier. A thread of
    /// the cooperative pool has 512 KiB of stack, of which 500 levels take less than 100 KiB optimised and some 330 KiB unoptimised.
    static let depthLimit = 500

    /// What a function gives that found something wrong. Too far from both ends of the numbers for a length to matter that is added to it.
    private static let failed = 1 << 62

    private let end: UnsafeRawPointer
    private let count: Int
    private var failure: XDRError?

    init(_ b: XDRBytes) {
        unsafe end = b.base + b.count
        count = b.count
    }

    /// What a function gave, as an offset from the beginning.
    /// - Throws: what it found wrong.
    @inline(__always)
    func offset(_ at: Int) throws(XDRError) -> Int {
        if let failure { throw failure }
        return at &+ count
    }

    /// SCVal in bytes that have been checked before, or at the top of a value; offsets from the beginning.
    static func scVal(_ bytes: RawSpan, _ at: Int, _ depth: Int = depthLimit) throws(XDRError) -> Int {
        try unsafe bytes.withUnsafeBytes { (bytes) throws(XDRError) -> Int in
            try unsafe scVal(XDRBytes(bytes, "SCVal"), at, depth)
        }
    }

    // MARK: Reads of bytes that are known to be there

    @inline(__always)
    func uint32(_ at: Int) -> UInt32 {
        assert(at >= -count && at <= -4)
        return unsafe UInt32(bigEndian: end.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    @inline(__always)
    func int32(_ at: Int) -> Int32 {
        Int32(bitPattern: uint32(at))
    }

    // MARK: Checks

    /// Whether so many bytes are left at `at`; none are where something failed.
    @inline(__always)
    func has(_ at: Int, _ needed: Int) -> Bool {
        at <= 0 &- needed
    }

    /// The number of elements of an array, whose length word is at `at`, unless it is more than the type allows or than fit into what is left
    /// if each has at least `elementSize` bytes: a forged length ends here, not in a long loop.
    @inline(__always)
    func count(_ at: Int, elementSize: Int, max: UInt32 = .max) -> Int? {
        let length = uint32(at)
        // 2^32 elements of less than 2^16 bytes: no overflow.
        guard length <= max, has(at, 4 &+ Int(length) &* elementSize) else { return nil }
        return Int(length)
    }

    /// Where opaque bytes or a string end whose length word is at `at`, filled up with zeros to a multiple of four; nil unless they are.
    @inline(__always)
    func endOfBytes(_ at: Int, max: UInt32 = .max) -> Int? {
        let length = uint32(at)
        let padded = (Int(length) &+ 3) & ~3
        guard length <= max, has(at, 4 &+ padded) else { return nil }
        let end = at &+ 4 &+ padded
        // The last word holds the padding, if any; without bytes it is the length itself, of which the mask then looks at nothing.
        let paddingMask = (1 as UInt32) &<< (8 &* UInt32(truncatingIfNeeded: padded &- Int(length))) &- 1
        guard uint32(end &- 4) & paddingMask == 0 else { return nil }
        return end
    }

    // MARK: Failures

    // Each is never inlined: failing takes the hot path no more than a jump that it does not make.

    private mutating func fail(_ reason: XDRError.Reason, _ at: Int, _ field: StaticString) -> Int {
        // Beyond the end something has failed before.
        if at <= 0 { failure = XDRError(reason, at &+ count, field) }
        return Self.failed
    }

    @inline(never)
    mutating func endsEarly(_ at: Int, _ needed: Int, _ field: StaticString) -> Int {
        fail(.unexpectedEnd(needed: needed, remaining: 0 &- at), at, field)
    }

    @inline(never)
    mutating func badDiscriminant(_ at: Int, _ field: StaticString) -> Int {
        fail(.badDiscriminant(int32(at)), at, field)
    }

    @inline(never)
    mutating func badEnumValue(_ at: Int, _ field: StaticString) -> Int {
        fail(.badEnumValue(int32(at)), at, field)
    }

    @inline(never)
    mutating func badBool(_ at: Int, _ field: StaticString) -> Int {
        fail(.badBool(uint32(at)), at, field)
    }

    @inline(never)
    mutating func badOptionalFlag(_ at: Int, _ field: StaticString) -> Int {
        fail(.badOptionalFlag(uint32(at)), at, field)
    }

    /// After `count` gave nothing.
    @inline(never)
    mutating func badCount(_ at: Int, max: UInt32 = .max, _ field: StaticString) -> Int {
        fail(badLength(uint32(at), at, max), at, field)
    }

    /// After `endOfBytes` gave nothing.
    @inline(never)
    mutating func badBytes(_ at: Int, max: UInt32 = .max, _ field: StaticString) -> Int {
        let length = uint32(at)
        let padded = (Int(length) &+ 3) & ~3
        if length <= max, has(at, 4 &+ padded) { return fail(.nonZeroPadding, at &+ padded, field) }
        return fail(badLength(length, at, max), at, field)
    }

    private func badLength(_ length: UInt32, _ at: Int, _ max: UInt32) -> XDRError.Reason {
        length > max ? .lengthExceedsMax(length: length, max: max) : .lengthExceedsInput(length: length, remaining: 0 &- at &- 4)
    }

    @inline(never)
    mutating func depthLimitExceeded(_ at: Int, _ field: StaticString) -> Int {
        fail(.depthLimitExceeded(limit: Self.depthLimit), at, field)
    }
}
