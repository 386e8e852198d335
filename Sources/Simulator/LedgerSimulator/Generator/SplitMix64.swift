/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same on every machine and with every compiler.
struct SplitMix64 {
    private var state: UInt64

    /// A stream for a purpose: different seeds and different `keys` give independent streams.
    init(seed: UInt64, _ keys: UInt64...) {
        state = seed
        for key in keys {
            state = next() ^ key
        }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A number from 0 to `bound` - 1.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True `percent` times of a hundred.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func uint32() -> UInt32 { UInt32(truncatingIfNeeded: next()) }

    mutating func bytes32() -> Bytes32 { Bytes32(next(), next(), next(), next()) }

    mutating func element<Element>(of array: [Element]) -> Element { array[below(array.count)] }
}
