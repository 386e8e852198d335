import PostgreSQL
import TestSupport
import Testing

/// `COPY ... FROM STDIN`.
@Suite(.timeLimit(.minutes(5))) struct CopyTests {
    struct Refusal: Error {}

    @Test func chunksNeedNotEndWithARow() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            let stored = try await connection.copyIn("COPY t FROM STDIN", ["1\n2", "3\n", "", "4"].map { Array($0.utf8) })
            #expect(stored == 3)
            #expect(try await connection.query("SELECT n FROM t ORDER BY n").map { $0["n"] } == ["1", "4", "23"])
        }
    }

    @Test func largeChunksArriveWhole() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE UNLOGGED TABLE t (text text)")
            let line = String(repeating: "x", count: 999) + "\n"
            let chunk = Array(String(repeating: line, count: 5_000).utf8)
            #expect(try await connection.copyIn("COPY t FROM STDIN", [chunk, chunk]) == 10_000)
            #expect(try await connection.query("SELECT sum(length(text)) AS bytes FROM t").first?["bytes"] == "9990000")
        }
    }

    @Test func anErrorOfTheServerIsTold() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            let good = Array(String(repeating: "1\n", count: 200_000).utf8)
            let error = await #expect(throws: PostgresError.self) {
                try await connection.copyIn("COPY t FROM STDIN", [Array("not a number\n".utf8)] + [[UInt8]](repeating: good, count: 40))
            }
            #expect(error?.sqlState == "22P02")
            #expect(try await connection.query("SELECT n FROM t").isEmpty)
        }
    }

    @Test func aBodyThatThrowsStoresNothing() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            let reason = PostgresError(kind: .rowCountMismatch, message: "no more", attempted: "making rows")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.perform { session throws(PostgresError) in
                    try session.copyIn("COPY t FROM STDIN") { stream throws(PostgresError) in
                        try stream.write(Array("1\n".utf8).span.bytes)
                        throw reason
                    }
                }
            }
            #expect(error == reason)
            #expect(try await connection.query("SELECT n FROM t").isEmpty)
        }
    }

    @Test(arguments: ["SELECT 1", "COPY missing FROM STDIN", "nonsense"])
    func whatIsNoCopyFromTheClientIsRefused(sql: String) async throws {
        try await withConnection { connection in
            await #expect(throws: PostgresError.self) { try await connection.copyIn(sql, [[1, 2, 3]]) }
            let rows = try await connection.query("SELECT 1 AS one")
            #expect(rows.first?["one"] == "1")
        }
    }

    @Test func aTerminatedSessionIsLostInTheMiddle() async throws {
        try await withDatabase { address in
            let killer = try await PostgresConnection.connect(address, applicationName: "killer")
            let copier = try await PostgresConnection.connect(address, applicationName: "copier")
            let pid = try #require(await copier.backendPID)
            try await killer.execute("CREATE TABLE t (n int PRIMARY KEY)")
            try await killer.execute("BEGIN; INSERT INTO t VALUES (7)")
            let block = Array(String(repeating: "7\n", count: 100_000).utf8)
            let task = Task { try await copier.copyIn("COPY t FROM STDIN", [[UInt8]](repeating: block, count: 200)) }
            try await killer.waitUntilBlocked(backend: pid)
            try await killer.query("SELECT pg_terminate_backend($1::int)", [String(pid)])
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .connectionLost)
        }
    }
}
