internal import CZstd

/// Compression, for those who make data lakes to test with.
public enum Zstd {
    /// Compresses bytes into one frame.
    /// - Parameters:
    ///   - level: of libzstd, 1 to 22; more is smaller and slower.
    ///   - checksum: whether the frame ends with a checksum (XXH64, 4 bytes) of its content.
    ///   - statesSize: whether the frame's header states the size of its content. Without, the window is as large as for a stream of unknown length.
    ///   - windowLog: size of the window as an exponent of 2; nil leaves it to the level. It shrinks to the content where `statesSize` is true.
    /// - Throws: `.invalidParameter` for a level or a window out of bounds, `.outOfMemory`.
    public static func compress(
        _ bytes: Span<UInt8>, level: Int32 = 3, checksum: Bool = true, statesSize: Bool = true, windowLog: Int32? = nil
    ) throws(ZstdError) -> [UInt8] {
        guard let context = unsafe ZSTD_createCCtx() else { throw .outOfMemory }
        defer { unsafe ZSTD_freeCCtx(context) }
        try ZstdError.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level))
        try ZstdError.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0))
        try ZstdError.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, statesSize ? 1 : 0))
        if let windowLog { try ZstdError.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)) }

        var result = 0
        let capacity = ZSTD_compressBound(bytes.count)
        let frame = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
            var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: capacity, pos: 0)
            unsafe bytes.withUnsafeBufferPointer { source in
                var source = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                // Only what is ended in its first call has a size that is known beforehand.
                if !statesSize { result = unsafe ZSTD_compressStream2(context, &target, &source, ZSTD_e_continue) }
                if ZSTD_isError(result) == 0 { result = unsafe ZSTD_compressStream2(context, &target, &source, ZSTD_e_end) }
            }
            unsafe count = target.pos
        }
        let left = try ZstdError.check(result)
        precondition(left == 0, "libzstd promises that a frame fits into its own bound")
        return frame
    }
}
