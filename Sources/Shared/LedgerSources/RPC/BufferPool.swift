package import NIOCore
internal import Synchronization

/// Response buffers kept for the next request: the pages of a fresh 16 MB buffer have to be mapped and zeroed one by one, a used one's are there already.
package final class BufferPool: Sendable {
    private let free = Mutex<[ByteBuffer]>([])
    private let limit: Int

    /// - Parameter limit: most buffers that are kept while nobody uses them; further ones are freed.
    package init(limit: Int) {
        self.limit = limit
    }

    /// A cleared buffer with room for `capacity` bytes, a kept one if possible.
    package func take(capacity: Int) -> ByteBuffer {
        let kept = free.withLock { buffers in
            // The smallest that is large enough, so that a short answer does not take a large buffer away.
            let index = buffers.indices.filter { buffers[$0].capacity >= capacity }.min { buffers[$0].capacity < buffers[$1].capacity }
            return index.map { buffers.remove(at: $0) }
        }
        guard var buffer = kept else { return ByteBufferAllocator().buffer(capacity: capacity) }
        buffer.clear()
        return buffer
    }

    /// Keeps `buffer` for later. Small ones are not worth it.
    package func give(_ buffer: ByteBuffer) {
        guard buffer.capacity >= Self.smallestKept else { return }
        free.withLock { buffers in
            if buffers.count < limit {
                buffers.append(buffer)
            } else if let smallest = buffers.indices.min(by: { buffers[$0].capacity < buffers[$1].capacity }),
                buffers[smallest].capacity < buffer.capacity
            {
                buffers[smallest] = buffer
            }
        }
    }

    private static let smallestKept = 1 << 18
}
