import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

/// Ledgers with random damage give an error and no rows, or rows whose framing is right; never a crash.
@Suite struct DamagedLedgerTests {
    @Test(arguments: ["SEP41", "SEP50"] as [ProtocolID])
    func damagedLedgers(id: ProtocolID) throws {
        let account = Value.address(.account(1))
        let muxed = Value.address(.muxed(Address.key(2), id: 3))
        let ledger = LedgerBuilder(
            Event("transfer", [account, muxed], .fields(("amount", .i128(5)), ("to_muxed_id", .u64(6)))),
            Event("transfer", [muxed, account], .fields(("token_id", .u256([1, 2, 3, 4])))),
            Event("approve", [account, muxed], .vec([.i128(9), .u32(7)])),
            Event("approve", [account, .u64(4)], .fields(("approved", muxed), ("live_until_ledger", .u32(7)))),
            Event("consecutive_mint", [account], .vec([.u32(3), .u128(12)])), Event("approve_for_all", [account], .vec([muxed, .u32(2)])),
            Event("clawback", [account, account], .i128(-1)), Event("burn", [account], .vec([.u32(1)]))
        ).xdr
        var generator = SeededRandom(seed: 7)
        let tracked = TrackedContracts([id: [try #require(Hash32(Address.key(0xC0)))]])
        var (accepted, refused, unlikeRows) = (0, 0, 0)
        var processor = try LedgerProcessor(protocols: [id], tracked: tracked)
        _ = try processor.process(ledger.span.bytes)
        let undamaged = processor.takeRows()[0]
        for _ in 0..<50_000 {
            var bytes = ledger
            // Behind the header: its sequence would only make the check below harder to write.
            let place = Int.random(in: 600..<bytes.count - 4, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + 4))
            default: bytes[place | 3] = UInt8.random(in: 0..<24, using: &generator)
            }
            do throws(LedgerProcessingError) {
                _ = try processor.process(bytes.span.bytes)
                accepted += 1
            } catch {
                refused += 1
                #expect(processor.pending == (0, 0))
            }
            let rows = processor.takeRows()[0]
            try StateChangeTuple.check(rows.tuples.span.bytes, expectedRows: rows.rowCount, ledgers: 7...7)
            if rows != undamaged { unlikeRows += 1 }
        }
        #expect(accepted > 1000)
        #expect(refused > 1000)
        #expect(unlikeRows > refused)
    }
}
