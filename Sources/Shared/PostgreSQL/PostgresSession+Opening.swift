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
        // What stands before dbname yields to the connection string, what stands after it wins.
        let defaults = [
            ("fallback_application_name", applicationName), ("keepalives_idle", "30"), ("keepalives_interval", "10"),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"),
        ]
        let settings = defaults + [("dbname", address.text)] + overrides + [("client_encoding", "UTF8")]
        let keywords = settings.map { strdup($0.0) } + [nil]
        let values = settings.map { strdup($0.1) } + [nil]
        defer { for text in keywords + values { free(text) } }
        handle = PQconnectStartParams(keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 1)
        guard let handle else { return "out of memory" }
        notices.receiveNotices(of: handle)
        guard PQstatus(handle) != CONNECTION_BAD else { return String(cString: PQerrorMessage(handle)).trimmed }

        let limit = address.options["connect_timeout"].flatMap { Int($0) } ?? Self.defaultConnectTimeout
        // As in libpq: zero or less is no limit.
        let deadline = limit > 0 ? ContinuousClock.now + .seconds(limit) : nil
        var wanted = PGRES_POLLING_WRITING
        while true {
            if cancelFlag?.isCancelled == true {
                close()
                throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
            }
            if let deadline, ContinuousClock.now >= deadline { return "no answer within \(limit) s" }
            let events = wanted == PGRES_POLLING_READING ? Int16(POLLIN) : Int16(POLLOUT)
            let left = deadline.map { Int32(clamping: ($0 - ContinuousClock.now).components.seconds * 1000 + 1000) } ?? -1
            guard try pollSocket(events: events, timeout: left, attempted) != 0 else { continue }
            wanted = PQconnectPoll(handle)
            if wanted == PGRES_POLLING_OK { break }
            if wanted == PGRES_POLLING_FAILED { return String(cString: PQerrorMessage(handle)).trimmed }
        }
        PQsetnonblocking(handle, 1)
        return nil
    }

    private static func list(_ value: String?) -> [String] {
        value.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }

    /// libpq hides the SQLSTATE of a refused log-in, so the words decide; a server that speaks another language is merely asked again for a while.
    private func isRefusalForGood(_ complaint: String) -> Bool {
        PQconnectionNeedsPassword(handle) == 1
            || ["password authentication failed", "does not exist", "no pg_hba.conf entry", "invalid "].contains { complaint.contains($0) }
    }
}
