import PostgreSQL
import TestSupport
import Testing

/// Queries and scripts over a real server.
struct PostgresConnectionTests {
    @Test func answersComeByNameAndPosition() async throws {
        try await withConnection { connection in
            let rows = try await connection.query("SELECT $1::int + 1 AS next, $2::text AS nothing", ["41", nil])
            #expect(rows.count == 1)
            #expect(rows[0]["next"] == "42")
            #expect(rows[0][0] == "42")
            #expect(rows[0]["nothing"] == nil)
            #expect(rows[0].columns == ["next", "nothing"])
            #expect(try rows[0].integer("next", as: UInt32.self) == 42)
            #expect(throws: PostgresError.self) { try rows[0].required("nothing") }
            #expect(throws: PostgresError.self) { try rows[0].required("no_such_column") }
        }
    }
}
