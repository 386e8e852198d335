/// A run of ledgers served over and over under new numbers: number, close time and predecessor's hash in the header are
/// rewritten and the hash made anew, everything after the header stays as it was.
struct RepeatedLedgers: LedgerSupply {
    /// Seconds from one ledger's close to the next one's.
    static let closeInterval: UInt64 = 5

    let available: ClosedRange<UInt32>
    private let templates: [SimulatedLedger]
    private let chain: HeaderChain

    /// - Parameters:
    ///   - templates: the ledgers to repeat, at least one.
    ///   - first: the number that the first of them gets.
    init(_ templates: [SimulatedLedger], from first: UInt32) {
        self.templates = templates
        available = first...LedgerNumbers.last
        chain = HeaderChain(first: first, anchor: templates[0].previousHash) { sequence, previous in
            let template = templates[Int(sequence - first) % templates.count]
            let head = Self.head(of: template, sequence, closeTime: Self.closeTime(sequence, first, templates), previous: previous)
            return Array(head[template.layout.header])
        }
    }

    func ledger(_ sequence: UInt32) -> SimulatedLedger {
        let template = templates[Int(sequence - available.lowerBound) % templates.count]
        let link = chain.link(sequence)
        let closeTime = Self.closeTime(sequence, available.lowerBound, templates)
        var head = Self.head(of: template, sequence, closeTime: closeTime, previous: link.previous)
        head.replaceSubrange(template.layout.hash..<template.layout.hash + 32, with: link.hash.bytes)
        return SimulatedLedger(
            sequence: sequence, closeTime: closeTime, protocolVersion: template.protocolVersion, head: head, layout: template.layout,
            rest: template.rest)
    }

    func closeTime(of sequence: UInt32) -> UInt64 { Self.closeTime(sequence, available.lowerBound, templates) }

    func prepare(through last: UInt32) { _ = chain.link(last) }

    private static func closeTime(_ sequence: UInt32, _ first: UInt32, _ templates: [SimulatedLedger]) -> UInt64 {
        templates[0].closeTime + UInt64(sequence - first) * closeInterval
    }

    private static func head(of template: SimulatedLedger, _ sequence: UInt32, closeTime: UInt64, previous: Bytes32) -> [UInt8] {
        var head = template.head
        let layout = template.layout
        var fields = XDRWriter()
        fields.uint32(sequence)
        fields.uint64(closeTime)
        head.replaceSubrange(layout.sequence..<layout.sequence + 4, with: fields.bytes[..<4])
        head.replaceSubrange(layout.closeTime..<layout.closeTime + 8, with: fields.bytes[4...])
        head.replaceSubrange(layout.previousHash..<layout.previousHash + 32, with: previous.bytes)
        return head
    }
}

/// The numbers that ledgers may have here.
enum LedgerNumbers {
    /// The highest number: operation ids are signed 64-bit integers with the ledger's number in the upper half.
    static let last = UInt32(Int32.max)
}
