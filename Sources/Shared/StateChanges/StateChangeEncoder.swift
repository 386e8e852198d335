public import StellarXDR

/// Encodes state changes one after another as rows for COPY (``StateChangeTuple``).
public struct StateChangeEncoder: Sendable {
    /// How many rows there are.
    public private(set) var rowCount = 0
    /// The rows.
    public private(set) var tuples: [UInt8] = []

    /// How many bytes were taken last: the next will be about as many.
    private var lastByteCount = 0
    /// The kinds of the rows so far; a protocol has a handful.
    private var kinds: [(category: StateChangeCategory, reason: StateChangeReason, template: KindTemplate)] = []
    /// The words of all templates, one after another.
    private var templateWords: [UInt64] = []

    /// Starts without rows.
    public init() {}

    /// The operation that a state change belongs to, as the columns say it.
    public struct Position: Sendable {
        /// `ledger_number`
        public let ledger: UInt32
        /// `ledger_created_at`, as ``StateChangeTuple/timestamp(closeTime:)`` gives it.
        public let createdAt: Int64
        /// `to_id`
        public let toID: Int64
        /// `operation_id`
        public let operationID: Int64

        /// Makes a position of its parts.
        public init(ledger: UInt32, createdAt: Int64, toID: Int64, operationID: Int64) {
            self.ledger = ledger
            self.createdAt = createdAt
            self.toID = toID
            self.operationID = operationID
        }
    }

    /// Adds a row.
    ///
    /// - Parameters:
    ///   - category: what the change is about.
    ///   - reason: what happened.
    ///   - position: in which operation.
    ///   - id: `state_change_id`.
    ///   - account: who it happened to.
    ///   - token: the contract of the token.
    ///   - amount: how much, exact and unscaled.
    ///   - spender: who may spend.
    ///   - keyValue: `key_value`.
    ///   - toMuxedID: the id that the receiver gave out for this payer.
    public mutating func append(
        _ category: StateChangeCategory, _ reason: StateChangeReason, at position: Position, id: Int64, account: SCAddressView,
        token: Hash32, amount: DecimalText?, spender: SCAddressView?, keyValue: KeyValueText, toMuxedID: UInt64?
    ) {
        append(
            template(category, reason), at: position, id: id, account: account, token: token, amount: amount, spender: spender,
            keyValue: keyValue, toMuxedID: toMuxedID)
    }

    /// The two text columns of a row (`int32 length, category, int32 length, reason`), encoded once and stored into each row word by word.
    package struct KindTemplate: Sendable {
        fileprivate let firstWord: Int
        fileprivate let byteCount: Int
    }

    /// Encodes texts of any length.
    package mutating func makeTemplate(category: String, reason: String) -> KindTemplate {
        var bytes: [UInt8] = []
        for text in [category, reason] {
            let count = UInt32(truncatingIfNeeded: text.utf8.count)
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + Array(text.utf8)
        }
        let template = KindTemplate(firstWord: templateWords.count, byteCount: bytes.count)
        for start in stride(from: 0, to: bytes.count, by: 8) {
            // The first byte in the lowest byte of the word.
            templateWords.append(bytes[start...].prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
        return template
    }

    @inline(__always)
    private mutating func template(_ category: StateChangeCategory, _ reason: StateChangeReason) -> KindTemplate {
        var index = 0
        while index < kinds.count {
            if kinds[index].category == category, kinds[index].reason == reason { return kinds[index].template }
            index += 1
        }
        let template = makeTemplate(category: category.rawValue, reason: reason.rawValue)
        kinds.append((category, reason, template))
        return template
    }

    /// Adds a row of a kind that may be none of ``StateChangeCategory`` and ``StateChangeReason`` yet.
    @inline(__always)
    package mutating func append(
        _ kind: KindTemplate, at position: Position, id: Int64, account: SCAddressView, token: Hash32, amount: DecimalText?,
        spender: SCAddressView?, keyValue: KeyValueText, toMuxedID: UInt64?
    ) {
        rowCount += 1
        let muxedID = toMuxedID.map { DecimalText($0) }
        let length =
            StateChangeTuple.fixedLength + kind.byteCount + (amount?.utf8Count ?? 0) + (spender == nil ? 0 : 33)
            + keyValue.bytes.count + (muxedID?.utf8Count ?? 0)
        // Growing step by step would copy every row; what is reserved but never written to takes no memory.
        if tuples.isEmpty { tuples.reserveCapacity(lastByteCount) }
        tuples.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
            output.append(repeating: 0, count: length)
            var elements = output.mutableSpan
            var row = unsafe elements.mutableBytes
            var at = 0
            row.put(StateChangeTuple.columnCount, at: &at)
            row.putField(UInt64(bitPattern: position.toID), at: &at)
            row.putField(UInt64(bitPattern: position.operationID), at: &at)
            row.putField(UInt64(bitPattern: id), at: &at)
            row.put(templateWords, kind, at: &at)
            row.putField(position.ledger, at: &at)
            row.putField(account, at: &at)
            row.putField(SCAddressView(kind: .contract, key: token), at: &at)
            row.putField(amount, at: &at)
            if let spender { row.putField(spender, at: &at) } else { row.putNull(at: &at) }
            if keyValue.bytes.isEmpty { row.putNull(at: &at) } else { row.putField(keyValue.bytes, at: &at) }
            row.putField(muxedID, at: &at)
            row.putField(UInt64(bitPattern: position.createdAt), at: &at)
        }
    }

    /// A place between two rows.
    public struct Mark: Sendable {
        fileprivate let rowCount: Int
        fileprivate let byteCount: Int
    }

    /// The place behind the last row.
    public var mark: Mark { Mark(rowCount: rowCount, byteCount: tuples.count) }

    /// Drops the rows behind a place; none if there are none, or if rows were taken since.
    public mutating func rollback(to mark: Mark) {
        guard rowCount > mark.rowCount else { return }
        tuples.removeLast(tuples.count - mark.byteCount)
        rowCount = mark.rowCount
    }

    /// Hands the rows out and begins anew.
    public mutating func take() -> [UInt8] {
        let taken = tuples
        lastByteCount = taken.count
        tuples = []
        rowCount = 0
        return taken
    }
}

/// The `key_value` column while it is being written: a flat JSON object as text, behind the version byte of PostgreSQL's binary jsonb.
///
/// The bytes are kept between events and written over, so that a row with `key_value` allocates nothing. Until ``write(_:)`` and after
/// ``clear()`` it stands for null.
public struct KeyValueText: Sendable {
    /// 0x01, then the text; nothing while the column is null.
    fileprivate var bytes: [UInt8] = []
    /// Whether the object has no members yet.
    private var isEmpty = true

    /// Makes a null.
    public init() {}

    /// Adds a member whose value is a JSON string: a number that JSON's own numbers would not hold exactly.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, text: DecimalText) {
        let isFirst = isEmpty
        bytes.append(addingCapacity: key.utf8.count + text.utf8Count + 6) { (output: inout OutputSpan<UInt8>) in
            output.begin(key, isFirst: isFirst)
            output.append(UInt8(ascii: "\""))
            if text.isNegative { output.append(UInt8(ascii: "-")) }
            output.append(digits: text)
            output.append(UInt8(ascii: "\""))
        }
        isEmpty = false
    }

    /// Adds a member whose value is a JSON number.
    /// - Parameter key: plain ASCII, nothing in it that JSON would want escaped.
    public mutating func add(_ key: String, number: UInt32) {
        let text = DecimalText(UInt64(number))
        let isFirst = isEmpty
        bytes.append(addingCapacity: key.utf8.count + text.utf8Count + 4) { (output: inout OutputSpan<UInt8>) in
            output.begin(key, isFirst: isFirst)
            output.append(digits: text)
        }
        isEmpty = false
    }

    /// Makes it null.
    public mutating func clear() {
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
    }

    /// Writes one object with what `body` adds to it, in place of what was there.
    public mutating func write(_ body: (inout KeyValueText) -> Void) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(1)
        bytes.append(UInt8(ascii: "{"))
        isEmpty = true
        body(&self)
        bytes.append(UInt8(ascii: "}"))
    }
}

extension OutputSpan<UInt8> {
    /// What comes before a value: at most a comma, two quotation marks, the key and a colon.
    fileprivate mutating func begin(_ key: String, isFirst: Bool) {
        if !isFirst { append(UInt8(ascii: ",")) }
        append(UInt8(ascii: "\""))
        for byte in key.utf8 { append(byte) }
        append(UInt8(ascii: "\""))
        append(UInt8(ascii: ":"))
    }

    fileprivate mutating func append(digits: DecimalText) {
        for index in 0..<digits.digitCount {
            append(UInt8(truncatingIfNeeded: digits.words[index / 8] >> UInt64(index % 8 * 8)))
        }
    }
}

/// Writes the fields of a tuple one after another: all numbers big-endian, each field behind its length.
///
/// Text is stored in whole words, which may reach past its end: what comes next is written over that, and a row always ends with twelve
/// bytes that are none of these. Every store is checked against the bounds of the row.
extension MutableRawSpan {
    /// A number without a length before it.
    @inline(__always)
    fileprivate mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at: inout Int) {
        storeBytes(of: number.bigEndian, toByteOffset: at, as: Number.self)
        at &+= MemoryLayout<Number>.size
    }

    /// A field that is a number.
    @inline(__always)
    fileprivate mutating func putField<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at: inout Int) {
        put(Int32(MemoryLayout<Number>.size), at: &at)
        put(number, at: &at)
    }

    /// A field without a value.
    @inline(__always)
    fileprivate mutating func putNull(at: inout Int) {
        put(-1 as Int32, at: &at)
    }

    /// The 33 bytes of an address.
    @inline(__always)
    fileprivate mutating func putField(_ address: SCAddressView, at: inout Int) {
        put(33 as Int32, at: &at)
        put(address.kind.rawValue, at: &at)
        put(address.key.words.0, at: &at)
        put(address.key.words.1, at: &at)
        put(address.key.words.2, at: &at)
        put(address.key.words.3, at: &at)
    }

    /// The decimal text of a number, if there is one.
    @inline(__always)
    fileprivate mutating func putField(_ decimal: DecimalText?, at: inout Int) {
        guard let decimal else { return putNull(at: &at) }
        put(Int32(truncatingIfNeeded: decimal.utf8Count), at: &at)
        if decimal.isNegative { put(UInt8(ascii: "-"), at: &at) }
        let end = at &+ decimal.digitCount
        var index = 0
        while at < end {
            storeBytes(of: decimal.words[index].littleEndian, toByteOffset: at, as: UInt64.self)
            at &+= 8
            index &+= 1
        }
        at = end
    }

    /// Bytes as they are.
    @inline(__always)
    fileprivate mutating func putField(_ bytes: [UInt8], at: inout Int) {
        put(Int32(truncatingIfNeeded: bytes.count), at: &at)
        for byte in bytes { put(byte, at: &at) }
    }

    /// Category and reason, their lengths included.
    @inline(__always)
    fileprivate mutating func put(_ words: [UInt64], _ kind: StateChangeEncoder.KindTemplate, at: inout Int) {
        var index = kind.firstWord
        var stored = 0
        while stored < kind.byteCount {
            storeBytes(of: words[index].littleEndian, toByteOffset: at &+ stored, as: UInt64.self)
            stored &+= 8
            index &+= 1
        }
        at &+= kind.byteCount
    }
}
