internal import NIOCore
internal import Synchronization

/// Which requests may hold how many response bytes at once. A pure state machine.
///
/// All that is held together stays within `limit`, except that one request may go beyond it: one for a single ledger, which cannot be made
/// smaller. Requests that find no room wait; the one with the lowest first ledger is always next, and none overtakes it. So as long as what is
/// held is released, the lowest request gets its room, however large it is.
package struct ByteBudget: Sendable {
    /// Bytes that may be held, but for the one request that may go beyond.
    package let limit: Int
    /// Bytes held now.
    package private(set) var held = 0
    /// Most bytes that were ever held at once.
    package private(set) var peak = 0

    private var shares: [Int: Int] = [:]
    /// The request that went beyond the limit and has not been released.
    private var beyond: Int?
    /// Ascending by first ledger; equal ones in the order in which they came.
    private var waiting: [(id: Int, first: UInt32, bytes: Int)] = []

    package init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// A request for ledgers from `first` on expects a response of `bytes`. More than the limit is for a request for a single ledger only.
    /// - Returns: whether it may begin. Otherwise it waits until its id comes from `release` or `cancel`.
    package mutating func request(_ id: Int, first: UInt32, bytes: Int) -> Bool {
        let place = waiting.firstIndex { $0.first > first } ?? waiting.endIndex
        waiting.insert((id, first, bytes), at: place)
        return admit().contains(id)
    }

    /// A waiting request is given up.
    /// - Returns: the requests that need not wait any longer.
    package mutating func cancel(_ id: Int) -> [Int] {
        waiting.removeAll { $0.id == id }
        return admit()
    }

    /// A response turns out to have `bytes`.
    /// - Parameter single: it is a single ledger's.
    /// - Returns: false where they have no room; the request then holds what it held before.
    package mutating func grow(_ id: Int, to bytes: Int, single: Bool) -> Bool {
        guard let share = shares[id] else { return false }
        guard bytes > share else { return true }
        if held - share + bytes > limit {
            guard single, beyond == nil || beyond == id else { return false }
            beyond = id
        }
        hold(id, bytes)
        return true
    }

    /// A request holds no more than `bytes` from now on; with 0 it is over.
    /// - Returns: the requests that need not wait any longer.
    package mutating func release(_ id: Int, to bytes: Int = 0) -> [Int] {
        guard let share = shares[id], bytes < share else { return [] }
        hold(id, bytes)
        if bytes == 0 {
            shares[id] = nil
            if beyond == id { beyond = nil }
        }
        return admit()
    }

    private mutating func hold(_ id: Int, _ bytes: Int) {
        held += bytes - (shares[id] ?? 0)
        peak = max(peak, held)
        shares[id] = bytes
    }

    private mutating func admit() -> [Int] {
        var admitted: [Int] = []
        while let next = waiting.first {
            if held + next.bytes > limit {
                // What can never fit need not wait until it does.
                guard next.bytes > limit, beyond == nil else { break }
                beyond = next.id
            }
            waiting.removeFirst()
            hold(next.id, next.bytes)
            admitted.append(next.id)
        }
        return admitted
    }
}

/// The memory of one source's responses: bounds what is held by a `ByteBudget`, and keeps buffers for the next response.
///
/// Buffers are kept since the pages of a fresh one of 16 MB have to be mapped and zeroed one by one, those of a used one are there already. What is in
/// use and what is kept stays within the limit together.
package final class ResponseMemory: Sendable {
    /// How waiting for room ended.
    private enum Outcome {
        case granted, cancelled, closed
    }

    private struct Spare {
        var buffer: ByteBuffer
        /// Bytes of the buffer that have ever been written, which is the memory that it really takes.
        var written: Int
    }

    private struct State {
        var budget: ByteBudget
        var lastID = 0
        var waiting: [Int: CheckedContinuation<Outcome, Never>] = [:]
        var isClosed = false
        /// Bytes written of the buffers in use, by room; for a new one what it was made for.
        var inUse: [Int: Int] = [:]
        var spares: [Spare] = []
        var allocations = 0

        /// Frees kept buffers, small ones first, until all that are left have room beside those in use.
        mutating func trim() {
            var total = inUse.values.reduce(0, +) + spares.reduce(0) { $0 + $1.written }
            while total > budget.limit, let smallest = spares.indices.min(by: { spares[$0].written < spares[$1].written }) {
                total -= spares.remove(at: smallest).written
            }
        }
    }

    /// Bytes that all responses together may have.
    package let limit: Int
    private let state: Mutex<State>
    /// Smaller buffers cost nothing to make.
    private static let smallestKept = 1 << 18

    /// - Parameter limit: bytes that all responses together may have; a single ledger's may go beyond it, one at a time.
    package init(limit: Int) {
        self.limit = max(1, limit)
        state = Mutex(State(budget: ByteBudget(limit: limit)))
    }

    /// Bytes that responses hold at the moment: received, in flight or expected.
    package var held: Int { state.withLock { $0.budget.held } }
    /// Most bytes that responses ever held at once.
    package var peak: Int { state.withLock { $0.budget.peak } }
    /// How many buffers have been made because none that was kept would do.
    package var allocations: Int { state.withLock { $0.allocations } }
    /// How many requests wait for room.
    package var waiting: Int { state.withLock { $0.waiting.count } }
    /// Bytes of the buffers that are kept for later.
    package var kept: Int { state.withLock { $0.spares.reduce(0) { $0 + $1.written } } }

    /// Waits until a response of `bytes` for the ledgers from `first` on has room.
    /// - Throws: `cancelled` or `closed`.
    func room(for first: UInt32, bytes: Int) async throws(AttemptFailure) -> ResponseRoom {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Outcome? = state.withLock { state in
                    // Under the lock: a cancellation either came before and is seen here, or finds the continuation.
                    if Task.isCancelled { return .cancelled }
                    if state.isClosed { return .closed }
                    if state.budget.request(id, first: first, bytes: bytes) { return .granted }
                    state.waiting[id] = continuation
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            let continuation = state.withLock { $0.waiting.removeValue(forKey: id) }
            guard let continuation else { return }
            change { $0.cancel(id) }
            continuation.resume(returning: .cancelled)
        }
        switch outcome {
        case .granted: return ResponseRoom(self, id, bytes)
        case .cancelled: throw AttemptFailure(.cancelled, "the wait for room in memory was cancelled")
        case .closed: throw AttemptFailure(.closed, "the client was shut down")
        }
    }

    /// Ends all waits, those to come included.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume(returning: .closed) }
    }

    /// Changes the budget and wakes those who need not wait any longer.
    private func change(_ body: (inout ByteBudget) -> [Int]) {
        let admitted = state.withLock { state in
            body(&state.budget).compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for continuation in admitted { continuation.resume(returning: .granted) }
    }

    fileprivate func grow(_ id: Int, to bytes: Int, single: Bool) -> Bool {
        state.withLock { $0.budget.grow(id, to: bytes, single: single) }
    }

    fileprivate func release(_ id: Int, to bytes: Int) {
        change { $0.release(id, to: bytes) }
    }

    /// An empty buffer with room for `capacity` bytes, a kept one if possible.
    fileprivate func takeBuffer(_ id: Int, capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        let isKept = state.withLock { state in
            // The smallest that is large enough, so that a short response does not take a large buffer away.
            let index = state.spares.indices.filter { state.spares[$0].buffer.capacity >= capacity }
                .min { state.spares[$0].buffer.capacity < state.spares[$1].buffer.capacity }
            guard let index, capacity >= Self.smallestKept else {
                state.inUse[id] = capacity
                state.allocations += 1
                state.trim()
                return false
            }
            // Swapped rather than copied: a buffer that two variables refer to is copied on the next write.
            swap(&buffer, &state.spares[index].buffer)
            state.inUse[id] = max(capacity, state.spares.remove(at: index).written)
            state.trim()
            return true
        }
        if !isKept { buffer = ByteBufferAllocator().buffer(capacity: capacity) }
        return buffer
    }

    /// Takes `buffer` back, which is empty and without memory afterwards.
    fileprivate func giveBack(_ id: Int, _ buffer: inout ByteBuffer) {
        state.withLock { state in
            guard let written = state.inUse.removeValue(forKey: id) else { return }
            guard buffer.capacity >= Self.smallestKept else { return }
            var spare = Spare(buffer: ByteBuffer(), written: min(buffer.capacity, max(written, buffer.writerIndex)))
            swap(&spare.buffer, &buffer)
            // Here and not in `takeBuffer`, so that a second reference that somebody still holds costs the memory now instead of hiding there.
            spare.buffer.clear()
            state.spares.append(spare)
            state.trim()
        }
        buffer = ByteBuffer()
    }
}

/// The room of one response in memory, from before the request until its page is released.
package final class ResponseRoom: Sendable {
    private let memory: ResponseMemory
    private let id: Int
    private let size: Mutex<Int>

    fileprivate init(_ memory: ResponseMemory, _ id: Int, _ bytes: Int) {
        self.memory = memory
        self.id = id
        size = Mutex(bytes)
    }

    deinit {
        memory.release(id, to: 0)
    }

    /// Bytes that the response may have.
    package var bytes: Int { size.withLock { $0 } }

    /// Makes room for a response that turns out to have `bytes`; false where there is none.
    /// - Parameter single: it is a single ledger's.
    func grow(to bytes: Int, single: Bool) -> Bool {
        guard memory.grow(id, to: bytes, single: single) else { return false }
        size.withLock { $0 = max($0, bytes) }
        return true
    }

    /// Gives up what a response that has been received to its end does not need.
    func shrink(to bytes: Int) {
        // A share of 0 is over for good.
        memory.release(id, to: max(1, bytes))
        size.withLock { $0 = min($0, bytes) }
    }

    /// A buffer for the response; one at a time.
    func takeBuffer(capacity: Int) -> ByteBuffer { memory.takeBuffer(id, capacity: capacity) }

    /// Takes the buffer back for later responses. Nobody else may refer to its bytes any more.
    func giveBack(_ buffer: inout ByteBuffer) { memory.giveBack(id, &buffer) }
}
