internal import CLibPQ
internal import Glibc

extension PostgresSession {
    /// The next result of what was sent, nil after the last one.
    ///
    /// Waits on the socket and on the waker. After a cancellation the server is asked once to cancel the statement, and the wait goes on until its
    /// answer comes. (A cancel request that comes too late finds an idle backend, which ignores it: nothing else is sent before the answer.)
    func nextResult(_ attempted: String, cancellable: Bool) throws(PostgresError) -> ServerResult? {
        guard let handle else { throw lost(attempted: attempted) }
        var cancelSent = false
        while true {
            let unsent = PQflush(handle)
            // A failed write is not the last word: the server's parting message may still be there to read, and PQgetResult gives it.
            if unsent <= 0, PQisBusy(handle) == 0 { break }
            if cancellable, !cancelSent, cancelFlag?.isCancelled == true {
                cancelSent = true
                requestCancel()
            }
            try waitForSocket(writable: unsent == 1, attempted)
        }
        return PQgetResult(handle).map { ServerResult(owning: $0) }
    }

    /// Waits until the socket can be read (what came is consumed), can be written, or the waker rings.
    func waitForSocket(writable: Bool, _ attempted: String) throws(PostgresError) {
        guard let handle, PQsocket(handle) >= 0 else { throw lost(attempted: attempted) }
        let ready = try pollSocket(events: Int16(POLLIN) | (writable ? Int16(POLLOUT) : 0), timeout: -1, attempted)
        // An error here (the peer is gone) leaves its message in the connection, and PQisBusy false: PQgetResult reports it.
        if ready & ~Int16(POLLOUT) != 0 { _ = PQconsumeInput(handle) }
    }

    /// Polls socket and waker; gives the socket's events (0: the waker rang or the time was up). `timeout` in milliseconds, -1 for none.
    func pollSocket(events: Int16, timeout: Int32, _ attempted: String) throws(PostgresError) -> Int16 {
        var waits = [
            pollfd(fd: PQsocket(handle), events: events, revents: 0),
            pollfd(fd: waker.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        let count = poll(&waits, nfds_t(waits.count), timeout)
        guard count >= 0 || errno == EINTR else {
            throw PostgresError(kind: .other, message: "poll: " + String(cString: strerror(errno)), attempted: attempted)
        }
        guard count > 0 else { return 0 }
        if waits[1].revents != 0 { waker.drain() }
        return waits[0].revents
    }

    /// Sends the cancel request over a connection of its own; a failure means that the statement runs to its end.
    private func requestCancel() {
        guard let cancel = PQgetCancel(handle) else { return }
        defer { PQfreeCancel(cancel) }
        var complaint = [CChar](repeating: 0, count: 256)
        _ = PQcancel(cancel, &complaint, Int32(complaint.count))
    }
}
