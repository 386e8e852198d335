internal import Synchronization

/// The memory that ledgers are written to, one after the other: grows to the largest ledger seen, and is used again.
package struct LedgerBuffer: Sendable {
    /// Zeros behind `count`.
    package var bytes: [UInt8] = []
    /// Bytes of the ledger so far.
    package var count = 0
    /// It has memory beyond the limit of all buffers.
    fileprivate var isBeyond = false
}

/// The buffers of a source's requests, bounded in bytes whatever the ledgers: one for each request in flight.
package final class LedgerBuffers: Sendable {
    private struct State {
        var free: [[UInt8]] = []
        /// Of all buffers, free ones as well.
        var bytes = 0
        /// One buffer may go beyond the limit at a time: a ledger larger than the limit gets through.
        var isBeyondTaken = false
    }

    /// Bytes that all buffers may have together.
    package let limit: Int
    /// Longest ledger that is taken, in bytes.
    package let longest: Int
    private let state = Mutex(State())
    private static let smallest = 1 << 17

    /// Bytes of all buffers now.
    package var held: Int { state.withLock { $0.bytes } }

    package init(limit: Int, longest: Int) {
        self.limit = limit
        self.longest = longest
    }

    /// An empty buffer, used before where there is one.
    package func take() -> LedgerBuffer {
        LedgerBuffer(bytes: state.withLock { $0.free.popLast() } ?? [])
    }

    /// Takes a buffer back.
    package func giveBack(_ buffer: consuming LedgerBuffer) {
        let (bytes, isBeyond) = (buffer.bytes, buffer.isBeyond)
        state.withLock { state in
            if isBeyond {
                state.bytes -= bytes.count
                state.isBeyondTaken = false
            } else {
                state.free.append(bytes)
            }
        }
    }

    /// Makes room for `needed` bytes in a buffer; false where there is none now.
    package func grow(_ buffer: inout LedgerBuffer, to needed: Int) -> Bool {
        let old = buffer.bytes.count
        if needed <= old { return true }
        // By a quarter: twice as much would be half empty in the end.
        let size = max(needed, old + max(old / 4, Self.smallest))
        let isGranted = state.withLock { state in
            // Memory of buffers that nobody uses is given up first.
            while state.bytes - old + size > limit, let idle = state.free.popLast() { state.bytes -= idle.count }
            if state.bytes - old + size > limit {
                if state.isBeyondTaken, !buffer.isBeyond { return false }
                state.isBeyondTaken = true
                buffer.isBeyond = true
            }
            state.bytes += size - old
            return true
        }
        if isGranted { buffer.bytes.append(contentsOf: repeatElement(0, count: size - old)) }
        return isGranted
    }
}
