internal import Glibc

/// What is known of a terminal.
public enum Terminal {
    /// Whether a descriptor is a terminal at which somebody may sit, and not one of a program's.
    public static func isForPeople(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && ProcessEnvironment.current["TERM"] != "dumb"
    }

    /// The size of the terminal behind a descriptor; 80 x 24 where it does not say.
    public static func size(_ descriptor: Int32) -> (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// How text is set off on a terminal; every code is empty where that is not wanted.
public struct TextStyle: Hashable, Sendable {
    /// Only ASCII: the locale is none of UTF-8.
    public let isPlain: Bool
    /// Select Graphic Rendition: bold.
    public let bold: String
    /// Select Graphic Rendition: faint.
    public let dim: String

    /// The style that the environment asks for: `NO_COLOR` turns codes off, a locale other than UTF-8 everything beyond ASCII.
    public init(environment: [String: String]) {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        isPlain = !locale.lowercased().replacing("-", with: "").contains("utf8")
        let hasCodes = (environment["NO_COLOR"] ?? "").isEmpty
        bold = hasCodes ? "\u{1B}[1m" : ""
        dim = hasCodes ? "\u{1B}[2m" : ""
    }
}

/// A line for a terminal: text with codes between, which take no columns.
public struct TerminalLine: Hashable, Sendable {
    private struct Piece: Hashable {
        var text: String
        let code: String
    }

    private var pieces: [Piece] = []

    /// A line that begins with a text.
    public init(_ text: String = "", _ code: String = "") { add(text, code) }

    /// Adds a text, set off by a code. What would move the cursor or end the line is replaced: it may come from outside.
    public mutating func add(_ text: String, _ code: String = "") {
        guard !text.isEmpty else { return }
        let safe = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.mustBeEscapedInLogs ? "?" : $0 }))
        pieces.append(Piece(text: safe, code: code))
    }

    /// How many columns it takes.
    public var columns: Int { pieces.reduce(0) { $0 + $1.text.count } }

    /// The text without codes.
    public var text: String { pieces.map(\.text).joined() }

    /// The line as far as it has room.
    public func cut(to columns: Int) -> TerminalLine {
        var line = TerminalLine()
        var room = max(0, columns)
        for piece in pieces where room > 0 {
            line.pieces.append(Piece(text: String(piece.text.prefix(room)), code: piece.code))
            room -= piece.text.count
        }
        return line
    }

    /// The bytes that a terminal gets.
    var rendered: String { pieces.map { $0.code.isEmpty ? $0.text : $0.code + $0.text + "\u{1B}[0m" }.joined() }
}

/// Numbers and times as people read them.
public enum Text {
    /// `1,234,567`.
    public static func number(_ value: some BinaryInteger) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// A whole number, `1,235` of 1234.6.
    public static func number(rounding value: Double) -> String { Int(exactly: value.rounded()).map { number($0) } ?? "-" }

    /// With one digit after the point.
    public static func decimal(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        return "\((value * 10).rounded() / 10)"
    }

    /// 0.127 as "13 %".
    public static func percent(_ part: Double) -> String { part.isFinite ? "\(Int((part * 100).rounded())) %" : "-" }

    /// 3725 seconds as "1h02m05s".
    public static func clock(_ seconds: Double) -> String {
        let whole = Int(min(max(0, seconds.isFinite ? seconds : 0).rounded(.up), 359_999_999))
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        if whole >= 3600 { return "\(whole / 3600)h\(two(whole / 60 % 60))m\(two(whole % 60))s" }
        return whole >= 60 ? "\(whole / 60)m\(two(whole % 60))s" : "\(whole)s"
    }

    /// 5300000 as "5.3 MB".
    public static func bytes(_ count: Int) -> String {
        for (unit, size) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] where Double(count) >= size {
            return "\(decimal(Double(count) / size)) \(unit)"
        }
        return "\(count) B"
    }

    /// Filled up with spaces, behind the text or before it.
    public static func padded(_ text: String, _ columns: Int, left: Bool = false) -> String {
        let fill = String(repeating: " ", count: max(0, columns - text.count))
        return left ? fill + text : text + fill
    }
}
