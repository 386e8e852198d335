import Testing
import ZeroMQ

@Suite struct EndpointTests {
    @Test(arguments: [
        ("ipc:///run/x/coordinator", "ipc:///run/x/coordinator"),
        ("tcp://127.0.0.1:7000", "tcp://127.0.0.1:7000"),
        ("tcp://127.9.9.9:65535", "tcp://127.9.9.9:65535"),
        ("tcp://localhost:7000", "tcp://127.0.0.1:7000"),
        ("tcp://[::1]:7000", "tcp://[::1]:7000"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
    ])
    func reads(text: String, canonical: String) throws {
        let endpoint = try Endpoint(text)
        #expect(endpoint.description == canonical)
        #expect(try Endpoint(endpoint.description) == endpoint)
        #expect(endpoint.isWildcard == text.hasSuffix("*"))
    }

    @Test(arguments: [
        "", "127.0.0.1:7000", "udp://127.0.0.1:7000", "inproc://x", "TCP://127.0.0.1:1", "ipc://", "ipc://relative/path", "ipc://@abstract",
        "ipc://*", "ipc:///a\0b",
        "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:+1",
        "tcp://127.0.0.1: 1", "tcp://127.0.0.1:0x10", "tcp://:7000", "tcp://::1:7000", "tcp://[]:7000",
    ])
    func refusesMalformed(text: String) {
        #expect { try Endpoint(text) } throws: { ($0 as? ZeroMQError)?.code == .invalidEndpoint }
    }

    @Test(arguments: [
        "tcp://0.0.0.0:7000", "tcp://*:7000", "tcp://10.0.0.1:7000", "tcp://128.0.0.1:7000", "tcp://example.com:7000", "tcp://[::]:7000",
        "tcp://[fe80::1]:7000", "tcp://[::ffff:10.0.0.1]:7000", "tcp://localhost.example.com:7000", "tcp://127.0.0.1.example.com:7000",
        "tcp://127.1:7000",
    ])
    func refusesWhatIsNotLoopback(text: String) {
        #expect {
            try Endpoint(text)
        } throws: {
            let error = $0 as? ZeroMQError
            return error?.code == .insecureEndpoint && error?.message.contains(text) == true
        }
    }

    @Test func pathEndsWhereTheSystemEndsIt() throws {
        let longest = "/" + String(repeating: "a", count: Endpoint.longestPath - 1)
        #expect(try Endpoint(ipcPath: longest).description == "ipc://" + longest)
        #expect {
            try Endpoint(ipcPath: longest + "a")
        } throws: {
            ($0 as? ZeroMQError)?.message.contains("108 bytes, a Unix socket takes at most 107") == true
        }
        // Bytes count, not characters.
        #expect(throws: ZeroMQError.self) { try Endpoint(ipcPath: "/" + String(repeating: "é", count: 54)) }
    }
}
