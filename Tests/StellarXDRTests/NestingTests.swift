import CAllocationCounter
import Foundation
import StellarXDR
import Testing

/// Recursive types, on a stack as small as that of a thread of the cooperative pool.
struct NestingTests {
    private static let limit = 500

    /// Bytes of stack. Sanitizers, under which allocations cannot be counted, need several times as much.
    private static let stackSize = allocation_counting_works() == 1 ? 512 * 1024 : 8 << 20

    /// Reads a ledger on a thread with a small stack.
    private func outcome(_ ledger: [UInt8]) async -> XDRError? {
        await withCheckedContinuation { continuation in
            let thread = Thread {
                do throws(XDRError) {
                    _ = try LedgerReader.read(ledger.span.bytes) { _ in }
                    continuation.resume(returning: nil)
                } catch {
                    continuation.resume(returning: error)
                }
            }
            thread.stackSize = Self.stackSize
            thread.start()
        }
    }

    private func expectLimit(_ field: String, _ ledger: (Int) -> [UInt8]) async {
        #expect(await outcome(ledger(Self.limit)) == nil)
        for depth in [Self.limit + 1, 100_000] {
            let error = await outcome(ledger(depth))
            #expect(error?.reason == .depthLimitExceeded(limit: Self.limit))
            #expect(error?.field == field)
        }
    }

    @Test("SCVal: vectors in vectors")
    func vectors() async {
        await expectLimit("SCVal") { XDR.ledger(event: XDR.event(data: XDR.Value.nested($0))) }
    }

    @Test("SCVal: maps in maps, in events that do not count")
    func maps() async {
        await expectLimit("SCVal") { depth in
            let value = (1..<depth).flatMap { _ in XDR.words(17, 1, 1, 1) } + XDR.Value.void
            let meta = XDR.Meta.v4([], transactionEvents: [XDR.event(data: value)])
            return XDR.ledger([XDR.transaction(XDR.Outcome.success([]), meta)])
        }
    }

    @Test("ClaimPredicate: not not not")
    func predicates() async {
        await expectLimit("ClaimPredicate") { depth in
            let predicate = (1..<depth).flatMap { _ in XDR.words(3, 1) } + XDR.word(0)
            let claimant = XDR.words(0, 0) + XDR.hash + predicate
            let balance = XDR.word(0) + XDR.hash + XDR.list([claimant]) + XDR.words(0, 0, 5, 0)
            let created = XDR.words(0, 1, 4) + balance + XDR.word(0)
            return XDR.ledger([XDR.transaction(XDR.Outcome.success([]), XDR.Meta.v0, feeChanges: XDR.list([created]))])
        }
    }

    @Test("SCPQuorumSet: inner sets")
    func quorumSets() async {
        await expectLimit("SCPQuorumSet") { depth in
            let set = (1..<depth).flatMap { _ in XDR.words(1, 0, 1) } + XDR.words(1, 0, 0)
            return XDR.ledger([], scpInfo: [XDR.word(0) + XDR.list([set]) + XDR.words(1234, 0)])
        }
    }
}
