/// Functions that check one value of an XDR type in place and give the offset behind it. Most are generated, from the XDR definitions, by
/// Scripts/generate-xdr.py.
enum XDRSkip {
    /// How deep values of recursive types (SCVal, ClaimPredicate, SCPQuorumSet, invocations, delegate signatures) may be nested in
    /// themselves. The Rust implementation that the network runs has the same limit but counts every type, so it stops earlier. A thread of
    /// the cooperative pool has 512 KiB of stack, of which 500 levels take less than 100 KiB optimised and some 440 KiB unoptimised.
    static let depthLimit = 500

    /// SCVal in bytes that have been checked before, or at the top of a value.
    static func scVal(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ depth: Int = depthLimit) throws(XDRError) -> Int {
        try scVal(XDRBytes(bytes, "SCVal"), at, depth)
    }
}
