import Coordinator
import Foundation
import LedgerSources
import Logging
import Pipeline
import PostgreSQL
import Protocols
import StateChanges
import Store
import Timescale

/// Goes through everything that a migration does before it writes, and goes on where that would stop: so all obstacles come out at once.
struct Planner: Sendable {
    let request: PlanRequest
    let logger: Logger

    /// What the database says, as far as it does.
    private struct Findings {
        var verdict: Validation.Verdict?
        var contracts: ContractSet?
        var chunks: ChunkSurvey?
    }

    /// Makes the plan; writes nothing.
    func plan() async -> MigrationPlan {
        var plan = MigrationPlan(batchSize: request.batchSize, fetchers: request.fetchers)
        plan.obstacles += missingPrograms
        let known = request.protocols.filter { id in
            if ProtocolRegistry.processor(for: id) != nil { return true }
            let all = ProtocolRegistry.ids.map(\.rawValue).sorted().joined(separator: ", ")
            plan.obstacles.append("\(id.rawValue): this build has no processor for it; it has \(all)")
            plan.entries.append(MigrationPlan.Entry(id: id, action: .blocked, cursor: nil, ledgers: nil, contracts: nil))
            return false
        }
        let findings = await askDatabase(known, &plan)
        await askSource(findings, &plan)
        // In the order given.
        let entries = plan.entries
        plan.entries = request.protocols.compactMap { id in entries.first { $0.id == id } }
        return plan
    }

    private var missingPrograms: [String] {
        guard request.fetchers > 0, let folder = try? ProgramFolder.path() else { return [] }
        return ["wallet-backend-fetcher", "wallet-backend-writer"].filter {
            !FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)")
        }
        .map { "\($0) is not beside this program, in \(folder): install it there, or use --fetchers 0 and start workers elsewhere" }
    }

    // MARK: the database

    private func askDatabase(_ ids: [ProtocolID], _ plan: inout MigrationPlan) async -> Findings {
        var findings = Findings()
        let connection: PostgresConnection
        do {
            connection = try await InspectionSession.open(request.database, for: "plan")
        } catch {
            plan.obstacles.append("\(error)")
            return findings
        }
        if let problem = await refusal({ () throws(StoreError) in try await connection.requireWrites() }) { plan.obstacles.append(problem) }
        let hasTables = await inspectTables(connection, &plan)
        if hasTables { await judge(ids, connection, &plan, &findings) }
        await connection.close()
        return findings
    }

    /// False where there are too few tables to ask anything else.
    private func inspectTables(_ connection: PostgresConnection, _ plan: inout MigrationPlan) async -> Bool {
        do throws(StoreError) {
            plan.remarks += try await Schema.verify(on: connection).map { "table state_changes: \($0)" }
            return true
        } catch {
            guard case .schemaMismatch(let differences) = error else {
                plan.obstacles.append("\(error)")
                return false
            }
            plan.obstacles += differences.map { "the tables are not those that they should be: \($0)" }
            return !differences.contains { difference in
                switch difference {
                case .missingTable(let table), .missingColumn(let table, _, _): table != "state_changes"
                default: false
                }
            }
        }
    }

    private func judge(
        _ ids: [ProtocolID], _ connection: PostgresConnection, _ plan: inout MigrationPlan, _ findings: inout Findings
    ) async {
        let found: MigrationPrerequisites
        do {
            found = try await MigrationPrerequisites.read(ids, names: request.names, on: connection)
        } catch {
            plan.obstacles.append("\(error)")
            return
        }
        let examination = Validation.examine(ids, found, names: request.names, rebuilds: request.rebuilds)
        plan.obstacles += examination.problems
        let verdict = examination.verdict
        findings.verdict = verdict
        plan.target = found.latest.number
        plan.needed = verdict.neededLedgers
        for id in verdict.toMigrate {
            if let problem = await refusal({ () throws(StoreError) in try await refuseIfLocked(id, connection) }) {
                plan.obstacles.append(problem)
            }
        }
        if let problem = await refusal({ () throws(StoreError) in
            findings.contracts = try await HistorySnapshot.read(
                verdict.toMigrate, names: request.names, contracts: ContractReader(), on: connection
            ).trackedContracts
        }) {
            plan.obstacles.append(problem)
        }
        do {
            let grants = try await Grants.read(on: connection)
            let uses: [Grants.Use] = [.coordinator, .writer] + (request.rebuilds ? [.rebuild] : [])
            for use in uses {
                if let remedy = grants.remedy(use) { plan.obstacles.append("the role lacks what \(use.subject) needs: \(remedy)") }
            }
            findings.chunks = try await ChunkSurvey.read(on: connection)
        } catch {
            plan.obstacles.append("\(error)")
        }
        describe(ids, found, examination, findings.contracts, &plan)
    }

    /// Throws `lockHeld` where another migration of the protocol has one of its locks: one session has both as a rule.
    private func refuseIfLocked(_ id: ProtocolID, _ connection: PostgresConnection) async throws(StoreError) {
        for name in AdvisoryLock.migrationNames(id) {
            let holders = try await AdvisoryLock.holders(of: name, on: connection)
            if !holders.isEmpty { throw .lockHeld(name: name, holders: holders) }
        }
    }

    private func describe(
        _ ids: [ProtocolID], _ found: MigrationPrerequisites, _ examination: Validation.Examination, _ contracts: ContractSet?,
        _ plan: inout MigrationPlan
    ) {
        let verdict = examination.verdict
        for id in ids {
            let action: MigrationPlan.Action =
                verdict.complete.contains(id)
                ? .complete : !verdict.toMigrate.contains(id) ? .blocked : verdict.toRebuild.contains(id) ? .rebuild : .migrate
            var ledgers: LedgerRange?
            if let start = examination.starts[id], let target = plan.target, start < target { ledgers = (start + 1)...target }
            let count = verdict.toMigrate.contains(id) ? contracts?.count(of: id) : nil
            plan.entries.append(
                MigrationPlan.Entry(id: id, action: action, cursor: found.historyCursors[id], ledgers: ledgers, contracts: count))
            if count == 0 { plan.remarks.append("\(id.rawValue) has no tracked contracts: its history will have no rows") }
        }
        guard let target = plan.target else { return }
        let round = RoundPlan(cursors: examination.starts, target: target)
        plan.ledgers = round.ledgerCount
        plan.batches = round.segments.reduce(0) { $0 + ($1.ledgers.count + request.batchSize - 1) / request.batchSize }
        if request.rebuilds, !verdict.toRebuild.isEmpty {
            plan.remarks.append(
                "the rows of \(verdict.toRebuild.map(\.rawValue).joined(separator: " and ")) are deleted first, which takes time of its own"
            )
        }
    }

    // MARK: the source

    private func askSource(_ findings: Findings, _ plan: inout MigrationPlan) async {
        let source: any LedgerSource
        do {
            source = try request.source.open(retryingFor: .seconds(5), logger: logger)
        } catch {
            plan.obstacles.append("\(error)")
            return
        }
        plan.source = source.endpoint
        do {
            try await source.requireNetwork(request.networkPassphrase)
        } catch {
            plan.obstacles.append("\(error)")
            // One that does not respond would say the same to every question.
            if error.isTransient { return await source.shutdown() }
        }
        if let needed = plan.needed {
            do {
                plan.sourceLatest = try await source.requireLedgers(needed)
                plan.sourceHasAll = true
                await survey(needed, source, findings, &plan)
            } catch {
                plan.obstacles.append("\(error)")
            }
        } else {
            plan.sourceLatest = try? await source.latestLedger(near: plan.target, within: .seconds(5))
        }
        await source.shutdown()
    }

    private func survey(_ needed: LedgerRange, _ source: any LedgerSource, _ findings: Findings, _ plan: inout MigrationPlan) async {
        do {
            if let chunks = findings.chunks, !chunks.compressed.isEmpty {
                let time = StateChangeTuple.timestamp(closeTime: try await source.closeTime(of: needed.lowerBound)) ?? .max
                if let refusal = chunks.from(time).refusal(request.compressedChunks) { plan.obstacles.append(refusal) }
            }
            guard let ids = findings.verdict?.toMigrate, !ids.isEmpty, let contracts = findings.contracts else { return }
            let within = needed.lowerBound...max(needed.lowerBound, min(needed.upperBound, plan.sourceLatest ?? needed.upperBound))
            let sample = try await LedgerSample.take(from: within, of: ids, tracked: TrackedContracts(contracts), source: source)
            plan.sample = sample
            plan.estimate = MigrationPlan.Estimate(
                sample, ledgers: plan.ledgers, entries: plan.entries, fetchers: request.fetchers, cores: plan.cores)
        } catch {
            plan.obstacles.append("the sample of ledgers: \(error)")
        }
    }

    private func refusal(_ body: () async throws(StoreError) -> Void) async -> String? {
        do throws(StoreError) {
            try await body()
            return nil
        } catch {
            return "\(error)"
        }
    }
}
