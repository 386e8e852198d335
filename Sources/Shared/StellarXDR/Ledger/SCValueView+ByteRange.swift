extension SCValueView {
    /// Where the value's XDR lies in the bytes of the ledger that the event came from; nil only for bytes that no reader accepted.
    public var byteRange: Range<Int>? {
        end.map { offset..<$0 }
    }
}
