struct XDRError: Error {}
enum XDRSkip {
    static let depthLimit = 500
    static func scVal(_ b: UnsafeRawBufferPointer, _ at: Int, _ depth: Int) throws(XDRError) -> Int {
        func need(_ n: Int) throws(XDRError) -> Int {
            guard at + n <= b.count else { throw XDRError() }
            return at + n
        }
        guard depth > 0, let t = b.number32(at: at) else { throw XDRError() }
        switch t {
        case 0, 3, 4: return try need(8)
        case 1, 20: return try need(4)
        case 2, 5, 6, 7, 8, 21: return try need(12)
        case 9, 10: return try need(20)
        case 11, 12: return try need(36)
        case 13, 14, 15:
            guard let n = b.number32(at: at + 4) else { throw XDRError() }
            return try need(8 + (Int(n) + 3) / 4 * 4)
        case 16, 17:
            if b.number32(at: at + 4) == 0 { return at + 8 }
            guard let n = b.number32(at: at + 8) else { throw XDRError() }
            var p = at + 12
            for _ in 0..<(t == 16 ? Int(n) : 2 * Int(n)) { p = try scVal(b, p, depth - 1) }
            return p
        case 18:
            switch b.number32(at: at + 4) {
            case 0, 3: return try need(44)
            case 2: return try need(48)
            default: return try need(40)
            }
        default: throw XDRError()
        }
    }
}
