import Foundation
import PostgreSQL
import TestSupport
import Testing

/// What does not answer at the start is tried for half a minute, then named.
@Suite(.timeLimit(.minutes(5))) struct UnreachableTests {
    @Test func anRPCThatCannotBeReachedIsTriedForAWhileAndThenNamed() async throws {
        try await Stage.with { stage in
            let before = try await stage.fingerprint()
            let run = try await stage.migrate(environment: ["RPC_URL": "http://user:\(PrivatePostgres.password)@127.0.0.1:1/"], exits: 1)
            #expect(run.log.contains("trying again") && run.log.contains("http://127.0.0.1:1"), "\(run.log)")
            #expect(!run.log.contains(PrivatePostgres.password), "\(run.log)")
            #expect(try await stage.fingerprint() == before)
        }
    }

    @Test func aDatabaseThatCannotBeReachedIsTriedForAWhileAndThenNamed() async throws {
        let run = try RunningProgram(
            "wallet-backend", ["protocol-migrate", "history", "--protocol-id", "SEP41"],
            environment: [
                "DATABASE_URL": "postgresql://someone:\(PrivatePostgres.password)@127.0.0.1:1/there", "RPC_URL": "http://127.0.0.1:1",
                "NETWORK_PASSPHRASE": "x",
            ])
        #expect(await run.exit() == 1)
        #expect(run.log.contains("trying again") && run.log.contains("someone") && run.log.contains("127.0.0.1"), "\(run.log)")
        #expect(!run.log.contains(PrivatePostgres.password), "\(run.log)")
    }
}
