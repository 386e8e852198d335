import Glibc
import Operations
import PostgreSQL
import Store

/// A connection for looking only: it writes nothing, waits for nobody's lock for long, and shows itself by name to the server.
enum InspectionSession {
    private static let limits = """
        SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '2s';
        SET idle_in_transaction_session_timeout = '30s'
        """

    /// Connects, once: somebody waits for the result.
    static func open(_ address: ConnectionString, for command: String) async throws(StoreError) -> PostgresConnection {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(
                address, applicationName: "wallet-backend \(command), pid \(getpid()) on \(Host.name)")
            try await connection.execute(limits, label: "setting the session's limits")
            return connection
        } catch {
            throw .database(error)
        }
    }
}
