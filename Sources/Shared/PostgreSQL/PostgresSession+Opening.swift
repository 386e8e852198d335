internal import CLibPQ
internal import Glibc

extension PostgresSession {
    /// Seconds for one host where the connection string does not give `connect_timeout`.
    private static let defaultConnectTimeout = 10

    /// Connects to the first host that accepts. Not PQconnectdb: that prints notices of the log-in to stderr and cannot be cancelled.
    func open(applicationName: String) throws(PostgresError) {
        let attempted = "connecting to the database at \(address)"
        let hosts = Self.list(address.options["host"])
        let addresses = Self.list(address.options["hostaddr"])
        let ports = Self.list(address.options["port"])
        var complaints: [String] = []
        var forGood = true
        for index in 0..<max(1, hosts.count, addresses.count) {
            // libpq has per-host time limits only in its blocking calls, so hosts are tried one by one.
            var overrides: [(String, String)] = []
            if hosts.count > 1 { overrides.append(("host", hosts[index])) }
            if addresses.count > 1 { overrides.append(("hostaddr", addresses[index])) }
            if ports.count > 1, index < ports.count { overrides.append(("port", ports[index])) }
            if let complaint = try attempt(overrides, applicationName, attempted) {
                complaints.append(complaint)
                forGood = forGood && isRefusalForGood(complaint)
                close()
            } else {
                return
            }
        }
        var error = PostgresError(kind: .connectFailed, message: complaints.joined(separator: "; "), attempted: attempted)
        error.refusedForGood = forGood
        throw error
    }

    /// One attempt at one host; gives the complaint where it failed.
    private func attempt(_ overrides: [(String, String)], _ applicationName: String, _ attempted: String) throws(PostgresError) -> String? {
        let limit = address.options["connect_timeout"].flatMap { Int($0) } ?? Self.defaultConnectTimeout
        // As in libpq: zero or less is no limit.
        let deadline = limit > 0 ? ContinuousClock.now + .seconds(limit) : nil
        unsafe handle = try unsafe start(overrides, applicationName, until: deadline, attempted)
        guard let handle = unsafe handle else { return "no response within \(limit) s: the host's name was not resolved" }
        unsafe notices.receiveNotices(of: handle)
        guard unsafe PQstatus(handle) != CONNECTION_BAD else { return unsafe String(cString: PQerrorMessage(handle)).trimmed }
        var wanted = PGRES_POLLING_WRITING
        while true {
            do throws(PostgresError) {
                try refuseIfCancelled(attempted)
            } catch {
                close()
                throw error
            }
            if let deadline, ContinuousClock.now >= deadline { return "no response within \(limit) s" }
            let events = wanted == PGRES_POLLING_READING ? Int16(POLLIN) : Int16(POLLOUT)
            guard try unsafe poll(handle, events: events, until: deadline, attempted) != 0 else { continue }
            wanted = unsafe PQconnectPoll(handle)
            if wanted == PGRES_POLLING_OK { break }
            if wanted == PGRES_POLLING_FAILED { return unsafe String(cString: PQerrorMessage(handle)).trimmed }
        }
        unsafe PQsetnonblocking(handle, 1)
        return nil
    }

    /// Begins the attempt on a thread of its own: libpq resolves the host's name in it, which can block for as long as the resolver likes. Nil: the
    /// time was up.
    private func start(
        _ overrides: [(String, String)], _ applicationName: String, until deadline: ContinuousClock.Instant?, _ attempted: String
    ) throws(PostgresError) -> OpaquePointer? {
        // What stands before dbname yields to the connection string, what stands after it wins.
        let defaults = [
            ("fallback_application_name", applicationName), ("keepalives_idle", "30"), ("keepalives_interval", "10"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"),
        ]
        let settings = defaults + [("dbname", address.text)] + overrides + [("client_encoding", "UTF8")]
        let starting = DetachedCall(
            waking: waker,
            {
                let keywords = unsafe settings.map { unsafe strdup($0.0) } + [nil]
                let values = unsafe settings.map { unsafe strdup($0.1) } + [nil]
                defer { unsafe (keywords + values).forEach { unsafe free($0) } }
                return unsafe StartedConnection(
                    pointer: PQconnectStartParams(
                        keywords.map { unsafe UnsafePointer($0) }, unsafe values.map { unsafe UnsafePointer($0) }, 1))
            }, discarding: { unsafe PQfinish($0.pointer) })
        while true {
            if let started = starting.take() {
                guard let pointer = unsafe started.pointer else {
                    throw PostgresError(kind: .other, message: "out of memory", attempted: attempted)
                }
                return unsafe pointer
            }
            try refuseIfCancelled(attempted)
            if let deadline, ContinuousClock.now >= deadline { return nil }
            _ = try unsafe poll(nil, events: 0, until: deadline, attempted)
        }
    }

    private static func list(_ value: String?) -> [String] {
        value.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }

    /// libpq hides the SQLSTATE of a refused log-in, so the words decide; a server that speaks another language is merely asked again for a while.
    private func isRefusalForGood(_ complaint: String) -> Bool {
        unsafe PQconnectionNeedsPassword(handle) == 1
            || ["password authentication failed", "does not exist", "no pg_hba.conf entry", "invalid "].contains { complaint.contains($0) }
    }
}

/// A connection on its way from the thread that began it to the one that goes on with it.
@safe private struct StartedConnection: @unchecked Sendable {
    let pointer: OpaquePointer?
}
