extension [UInt8] {
    /// The bytes of a span as an array of their own, for a ledger that must outlive the page that it came in.
    public init(copying span: RawSpan) {
        self = span.withUnsafeBytes { [UInt8]($0) }
    }
}
