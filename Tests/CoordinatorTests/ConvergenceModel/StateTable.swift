/// States with numbers in the order of their coming. A dictionary would hold each twice.
struct StateTable {
    private var states: [ModelState] = []
    /// Numbers by hash, -1 where there is none; a power of two of them, at most half of them taken.
    private var slots = [Int32](repeating: -1, count: 1 << 16)

    var count: Int { states.count }

    subscript(number: Int32) -> ModelState { states[Int(number)] }

    /// - Returns: the state's number, and whether it was not there before.
    mutating func insert(_ state: ModelState) -> (number: Int32, isNew: Bool) {
        if 2 * states.count >= slots.count { grow() }
        let slot = place(of: state)
        if slots[slot] >= 0 { return (slots[slot], false) }
        let number = Int32(states.count)
        slots[slot] = number
        states.append(state)
        return (number, true)
    }

    private func place(of state: ModelState) -> Int {
        var slot = state.hashValue & (slots.count - 1)
        while slots[slot] >= 0, states[Int(slots[slot])] != state { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: 2 * slots.count)
        for number in states.indices { slots[place(of: states[number])] = Int32(number) }
    }
}
