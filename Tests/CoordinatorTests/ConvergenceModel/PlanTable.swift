import Pipeline
import StateChanges

/// What `RoundPlan` says to every combination of cursors and target, asked once: the exploration asks it millions of times.
struct PlanTable: Sendable {
    struct Segment: Sendable {
        let first: UInt8
        let last: UInt8
        let protocols: ProtocolSet
    }

    private static let ledgers = 8
    private let segments: [Segment?]

    init() {
        var segments: [Segment?] = []
        for first in 0..<Self.ledgers {
            for second in 0..<Self.ledgers {
                for set in 0..<4 {
                    for target in 0..<Self.ledgers {
                        var cursors: [ProtocolID: UInt32] = [:]
                        for index in ProtocolSet(bits: UInt8(set)) {
                            cursors[ModelProtocols.ids[index]] = UInt32(index == 0 ? first : second)
                        }
                        segments.append(RoundPlan(cursors: cursors, target: UInt32(target)).segments.first.map(Self.segment))
                    }
                }
            }
        }
        self.segments = segments
    }

    /// The first segment of the plan; nil where there is nothing to do.
    func firstSegment(_ cursors: PerProtocol<UInt8>, _ set: ProtocolSet, target: UInt8) -> Segment? {
        segments[((Int(cursors[0]) * Self.ledgers + Int(cursors[1])) * 4 + Int(set.bits)) * Self.ledgers + Int(target)]
    }

    private static func segment(_ segment: RoundPlan.Segment) -> Segment {
        Segment(
            first: UInt8(segment.ledgers.lowerBound), last: UInt8(segment.ledgers.upperBound),
            protocols: ([0, 1] as ProtocolSet).members { segment.protocols.contains(ModelProtocols.ids[$0]) })
    }
}
