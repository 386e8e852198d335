internal import CZstd

/// One decompression context (libzstd's `ZSTD_DCtx`), kept and used again for one stream after the other: making one costs more than a small stream.
///
/// A stream is a sequence of frames; their contents are read as one. The context holds a frame's window besides some 100 KB, 8.9 MB for the frames of
/// Galexie. It may go from thread to thread: whoever calls it has it to himself.
@safe public struct ZstdStream: ~Copyable, @unchecked Sendable {
    // Sendable by hand: the context belongs to this one value, which cannot be copied, and libzstd ties it to no thread.
    private let context: OpaquePointer
    /// The result of the last step: 0 where a frame ended with it and all of its content is out.
    private var hint = 1
    /// The last step filled the room that it had, so libzstd may have more without any further input.
    private var mayHoldMore = false
    /// What ended the stream early.
    private var failure: ZstdError?

    /// The largest window, as an exponent of 2: twice what Galexie writes.
    static let windowLogLimit: Int32 = 24
    /// The largest window, in bytes. A frame that asks for more is refused before it takes any memory.
    ///
    /// One whose whole content fits into the room of the first read takes no window, and may be read whatever it asks for.
    public static let windowLimit = 1 << Int(windowLogLimit)

    /// Makes a context, ready for a stream.
    /// - Throws: `.outOfMemory`.
    public init() throws(ZstdError) {
        unsafe context = try Self.makeContext()
    }

    private static func makeContext() throws(ZstdError) -> OpaquePointer {
        guard let context = unsafe ZSTD_createDCtx() else { throw .outOfMemory }
        // The one parameter is within its bounds.
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLogLimit)
        return unsafe context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Begins a new stream and forgets the one before, an error of it included.
    public mutating func begin() {
        // A reset of the session cannot fail, and keeps the parameters.
        unsafe ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        hint = 1
        mayHoldMore = false
        failure = nil
    }

    /// Whether the input so far ends with the end of a frame, and all of its content was read: false for a stream that was cut, or is empty.
    ///
    /// It takes a read with room left to see the end: read on until a read returns 0.
    public var isAtEndOfFrame: Bool { hint == 0 && failure == nil }

    /// Decompresses.
    /// - Parameters:
    ///   - input: the next part of the stream, of any length.
    ///   - offset: where in `input` to begin; moved on by what was taken.
    ///   - output: where the content goes.
    ///   - range: the room in `output`; it must lie within it.
    /// - Returns: the bytes written, from `range.lowerBound` on; 0 only where all input is taken and nothing is held back, or `range` is empty.
    /// - Throws: what is wrong with the stream. Every further read throws it again until `begin`.
    public mutating func read(
        _ input: Span<UInt8>, from offset: inout Int, into output: inout [UInt8], at range: Range<Int>
    ) throws(ZstdError) -> Int {
        precondition((0...input.count).contains(offset), "offset \(offset) lies outside of \(input.count) bytes of input")
        precondition(
            range.lowerBound >= 0 && range.upperBound <= output.count, "room \(range) lies outside of \(output.count) bytes of output")
        if let failure { throw failure }
        do {
            var written = 0
            // libzstd stops at the end of each frame. It also takes a number of calls that move nothing for an error, so there are none.
            while written < range.count, offset < input.count || mayHoldMore {
                let room = (range.lowerBound + written)..<range.upperBound
                let step = try step(input, offset, &output, room)
                offset += step.taken
                written += step.written
                mayHoldMore = step.written == room.count && hint != 0
                guard step.taken > 0 || step.written > 0 else { break }
            }
            return written
        } catch {
            failure = error
            throw error
        }
    }

    /// Decompresses a whole stream at once. That takes no window, and each byte is written once only.
    /// - Parameters:
    ///   - input: all of the stream.
    ///   - output: where the content goes; what is in it behind the content is lost.
    /// - Returns: the bytes written; nil where the content has no room in `output`.
    /// - Throws: what is wrong with the stream.
    public mutating func readWhole(_ input: Span<UInt8>, into output: inout [UInt8]) throws(ZstdError) -> Int? {
        begin()
        guard !input.isEmpty else { throw .cut }
        let result = unsafe input.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe ZSTD_decompressDCtx(context, target.baseAddress, target.count, source.baseAddress, source.count)
            }
        }
        if ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall { return nil }
        return try ZstdError.check(result)
    }

    /// One call of libzstd, which goes as far as input, room and frame let it.
    private mutating func step(
        _ input: Span<UInt8>, _ offset: Int, _ output: inout [UInt8], _ room: Range<Int>
    ) throws(ZstdError) -> (taken: Int, written: Int) {
        var taken = 0
        var written = 0
        let result = unsafe input.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                var source = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: offset)
                var target = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: room.upperBound, pos: room.lowerBound)
                let result = unsafe ZSTD_decompressStream(context, &target, &source)
                taken = unsafe source.pos - offset
                written = unsafe target.pos - room.lowerBound
                return result
            }
        }
        hint = try ZstdError.check(result)
        return (taken, written)
    }
}
