import PostgreSQL
import Store

/// What the processes need to be allowed, of the role that this connection has.
struct Grants: Sendable, Hashable {
    /// Something that a role may be used for.
    enum Use: String, Sendable, Hashable, CaseIterable {
        case coordinator, writer
        case liveIngestion = "ingest"
        case rebuild

        /// In a sentence.
        var subject: String {
            switch self {
            case .coordinator: "the coordinator"
            case .writer: "the writer"
            case .liveIngestion: "live ingestion"
            case .rebuild: "--rebuild"
            }
        }

        /// Table by table.
        var needs: [Need] {
            switch self {
            case .coordinator:
                [
                    Need("protocols", ["SELECT", "UPDATE"]), Need("ingest_store", ["SELECT", "INSERT", "UPDATE"]),
                    Need("protocol_wasms", ["SELECT"]), Need("protocol_contracts", ["SELECT"]),
                ]
            case .writer: [Need("ingest_store", ["SELECT", "UPDATE"]), Need("state_changes", ["INSERT"])]
            case .liveIngestion:
                [
                    Need("protocols", ["SELECT"]), Need("ingest_store", ["SELECT", "INSERT", "UPDATE"]),
                    Need("protocol_wasms", ["SELECT"]), Need("protocol_contracts", ["SELECT"]), Need("state_changes", ["INSERT"]),
                ]
            case .rebuild: [Need("state_changes", ["SELECT", "DELETE"])]
            }
        }
    }

    struct Need: Sendable, Hashable {
        let table: String
        let privileges: [String]

        init(_ table: String, _ privileges: [String]) {
            self.table = table
            self.privileges = privileges
        }
    }

    /// The role, as the server names it.
    let role: String
    /// What it lacks; uses that lack nothing have no entry. Tables that are not there are left out.
    let missing: [Use: [Need]]

    /// Reads them.
    static func read(on connection: PostgresConnection) async throws(StoreError) -> Grants {
        do throws(PostgresError) {
            let label = "asking what this role may do"
            let role = try await connection.query("SELECT quote_ident(current_user) AS role", label: label).first?["role"] ?? "this role"
            var missing: [Use: [Need]] = [:]
            for use in Use.allCases {
                for need in use.needs {
                    // DELETE is of whole tables; what else is needed may be granted by column.
                    let rows = try await connection.query(
                        """
                        SELECT privilege FROM unnest($2::text[]) AS privilege
                        WHERE NOT CASE privilege WHEN 'DELETE' THEN has_table_privilege(to_regclass($1), privilege)
                                                 ELSE has_any_column_privilege(to_regclass($1), privilege) END
                        """, [need.table, "{\(need.privileges.joined(separator: ","))}"], label: label)
                    let lacking = try rows.map { row throws(PostgresError) in try row.required("privilege") }
                    if !lacking.isEmpty { missing[use, default: []].append(Need(need.table, lacking)) }
                }
            }
            return Grants(role: role, missing: missing)
        } catch {
            throw .database(error)
        }
    }

    /// What the owner of the tables runs, so that the role can be used for this; nil where it can.
    func remedy(_ use: Use) -> String? {
        guard let needs = missing[use] else { return nil }
        return needs.map { "GRANT \($0.privileges.joined(separator: ", ")) ON \($0.table) TO \(role)" }.joined(separator: "; ")
    }
}
