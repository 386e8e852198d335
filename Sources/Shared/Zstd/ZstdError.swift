internal import CZstd

/// Why a zstd stream could not be read or written.
public enum ZstdError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The bytes are no zstd frame or a damaged one; the text is libzstd's name of the error.
    case damaged(String)
    /// The stream ends in the middle of a frame.
    case cut
    /// The frame asks for a window of more than so many bytes.
    case windowTooLarge(limit: Int)
    /// libzstd got no memory.
    case outOfMemory
    /// The frame needs what this libzstd does not do: another version of the format, a dictionary; the text is libzstd's name of the error.
    case unsupported(String)
    /// A parameter of the compression is out of its bounds.
    case invalidParameter(String)

    /// One line for a person.
    public var description: String {
        switch self {
        case .damaged(let name): "damaged zstd frame: \(name)"
        case .cut: "the zstd frame ends in the middle"
        case .windowTooLarge(let limit): "zstd frame with a window of more than \(limit) bytes, which no ledger file has: refused"
        case .outOfMemory: "no memory for a zstd frame"
        case .unsupported(let name): "zstd frame that this libzstd cannot read: \(name)"
        case .invalidParameter(let name): "zstd compression: \(name)"
        }
    }

    /// The error that a result of libzstd stands for; nil for any other result.
    init?(result: Int) {
        guard ZSTD_isError(result) != 0 else { return nil }
        let name = unsafe String(cString: ZSTD_getErrorName(result))
        self =
            switch ZSTD_getErrorCode(result) {
            case ZSTD_error_frameParameter_windowTooLarge: .windowTooLarge(limit: ZstdStream.windowLimit)
            case ZSTD_error_srcSize_wrong: .cut
            case ZSTD_error_memory_allocation: .outOfMemory
            case ZSTD_error_version_unsupported, ZSTD_error_frameParameter_unsupported, ZSTD_error_dictionary_wrong: .unsupported(name)
            case ZSTD_error_parameter_unsupported, ZSTD_error_parameter_combination_unsupported, ZSTD_error_parameter_outOfBound:
                .invalidParameter(name)
            default: .damaged(name)
            }
    }

    /// Hands a result of libzstd on, unless it stands for an error.
    @discardableResult
    static func check(_ result: Int) throws(ZstdError) -> Int {
        if let error = ZstdError(result: result) { throw error }
        return result
    }
}
