import Operations

/// Columns that are as wide as what is in them, with two spaces between.
struct TextTable: Sendable {
    /// How wide a terminal is taken to be.
    static let terminalWidth = 100

    enum Alignment: Sendable { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// - Parameter columns: the titles; numbers stand at the right.
    init(_ columns: [(title: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.title)]
    }

    /// Adds a row; it has as many cells as there are columns.
    mutating func add(_ cells: [String]) { rows.append(cells.map(\.withoutControls)) }

    /// One text for each row, the titles first.
    var lines: [String] {
        let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = zip(zip(row, alignments), widths).map { cell, width in
                let space = String(repeating: " ", count: width - cell.0.count)
                return cell.1 == .left ? cell.0 + space : space + cell.0
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// A word and what is to be said of it; long texts go on below, behind the word.
struct LabelledText: Sendable {
    let label: String
    let text: String

    /// - Parameter indent: where the text begins.
    func lines(indent: Int, width: Int = TextTable.terminalWidth) -> [String] {
        var lines: [String] = []
        var line = label + String(repeating: " ", count: max(1, indent - label.count))
        var isEmpty = true
        for word in text.withoutControls.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: indent)
                isEmpty = true
            }
            line += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return lines + [line]
    }
}
