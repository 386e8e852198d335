import StellarXDR
import TestSupport
import Testing

/// Ledgers with something changed: an error or a walk, never a crash, never a hang.
struct MutationTests {
    #if DEBUG
        private static let mutations = 6_000
    #else
        private static let mutations = 400_000
    #endif

    /// One ledger that is mutated in place; what was changed is taken back from the original.
    private struct Subject {
        let original: [UInt8]
        var bytes: [UInt8]
        var length: Int
        var changed = 0..<0

        init(_ original: [UInt8]) {
            self.original = original
            bytes = original
            length = original.count
        }

        func read(onEvent: (ContractEvent) -> Void) throws(XDRError) {
            _ = try LedgerReader.read(bytes.span.bytes.extracting(0..<length), onEvent: onEvent)
        }

        mutating func undo() {
            for index in changed { bytes[index] = original[index] }
            changed = 0..<0
            length = original.count
        }

        /// Writes and remembers where.
        mutating func write(_ new: some Collection<UInt8>, at offset: Int) {
            var index = offset
            for byte in new where index < bytes.count {
                bytes[index] = byte
                index += 1
            }
            changed = changed.isEmpty ? offset..<index : min(changed.lowerBound, offset)..<max(changed.upperBound, index)
        }

        mutating func mutate(_ generator: inout SeededRandom, splicingFrom other: [UInt8]) {
            let offset = Int.random(in: 0..<bytes.count, using: &generator)
            let word = offset & ~3
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                write(CollectionOfOne(bytes[offset] ^ 1 << UInt8.random(in: 0..<8, using: &generator)), at: offset)
            case 1:
                length = offset
            case 2:
                write(withUnsafeBytes(of: generator.next(), { Array($0.prefix(4)) }), at: word)
            case 3:
                // Small numbers look like lengths, versions and discriminants.
                write(XDR.word(Int.random(in: -20...40, using: &generator)), at: word)
            case 4:
                let extremes = [0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0x4000_0000, 0x0001_0000]
                write(XDR.word(extremes.randomElement(using: &generator) ?? 0), at: word)
            case 5:
                // A piece of another ledger, overwriting.
                let start = Int.random(in: 0..<other.count, using: &generator) & ~3
                let count = min(4 * Int.random(in: 1...40, using: &generator), other.count - start)
                write(other[start..<(start + count)], at: word)
            case 6:
                // A piece taken out: what follows moves up.
                let count = min(4 * Int.random(in: 1...20, using: &generator), bytes.count - word)
                write(original[(word + count)...], at: word)
                length = bytes.count - count
            default:
                // A piece put in twice: what follows moves down, and the end falls off.
                let count = min(4 * Int.random(in: 1...20, using: &generator), word)
                write(original[(word - count)...].prefix(bytes.count - word), at: word)
            }
        }
    }

    @Test("Flipped, cut, overwritten, spliced", arguments: [1, 2, 3, 4] as [UInt64])
    func mutations(seed: UInt64) throws {
        var generator = SeededRandom(seed: seed)
        let originals = try Fixtures.all.map(\.bytes)
        var subjects = originals.map(Subject.init)
        var (walks, errors, values) = (0, 0, 0)
        for round in 0..<(Self.mutations / 4) {
            let index = round % subjects.count
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                let other = originals.randomElement(using: &generator) ?? []
                subjects[index].mutate(&generator, splicingFrom: other)
            }
            do throws(XDRError) {
                try subjects[index].read { values += Self.touch($0) }
                walks += 1
            } catch {
                errors += 1
                if error.offset > subjects[index].length || error.description.isEmpty { Issue.record("\(error)") }
            }
            subjects[index].undo()
        }
        // Most changes hit integers and hashes, and many hit something that matters.
        #expect(walks > Self.mutations / 100)
        #expect(errors > Self.mutations / 100)
        #expect(values > 0)
        #expect(zip(subjects, originals).allSatisfy { $0.bytes == $1 })
    }

    /// Looks at every value of an event: also of a mutated one the views give what is there, or nil.
    private static func touch(_ event: ContractEvent) -> Int {
        var values = look(event.data)
        var topics = event.topics.makeIterator()
        while let topic = topics.next() { values += look(topic) }
        return values
    }

    private static func look(_ value: SCValueView) -> Int {
        var values = 1
        _ = value.address
        _ = value.i128
        _ = value.u256
        _ = value.symbol?.count
        if let vector = value.vector {
            var elements = vector.makeIterator()
            while let element = elements.next() { values += look(element) }
        }
        if value.map?["amount"]?.i128 != nil { values += 1 }
        return values
    }
}
