/// One line of `doctor`.
package struct Finding: Sendable, Hashable {
    package enum Verdict: String, Sendable, Hashable {
        case ok
        /// It works, or is of no use for all that this machine may be meant for.
        case warn
        /// Something that is needed is not there.
        case fail
    }

    let name: String
    package let verdict: Verdict
    /// What was found.
    let found: String
    /// What to do about it.
    let advice: String?

    static func ok(_ name: String, _ found: String) -> Finding { Finding(name: name, verdict: .ok, found: found, advice: nil) }
    static func warn(_ name: String, _ found: String, _ advice: String) -> Finding {
        Finding(name: name, verdict: .warn, found: found, advice: advice)
    }
    static func fail(_ name: String, _ found: String, _ advice: String) -> Finding {
        Finding(name: name, verdict: .fail, found: found, advice: advice)
    }
}

extension [Finding] {
    /// For a terminal of 100 columns.
    var text: String {
        var lines: [String] = []
        for finding in self {
            let label = finding.verdict.rawValue.padding(to: 6) + finding.name
            lines += LabelledText(label: label, text: finding.found).lines(indent: Self.indent)
            if let advice = finding.advice { lines += LabelledText(label: "", text: "-> " + advice).lines(indent: Self.indent) }
        }
        let failures = count { $0.verdict == .fail }
        let warnings = count { $0.verdict == .warn }
        lines += ["", "\(count - failures - warnings) ok, \(warnings) to look at, \(failures) failed"]
        return lines.joined(separator: "\n")
    }

    private static var indent: Int { 25 }

    /// The document of `--json`.
    var json: JSON {
        .object([
            "failed": .integer(count { $0.verdict == .fail }),
            "checks": .list(
                map {
                    .object([
                        "name": .text($0.name), "verdict": .text($0.verdict.rawValue), "found": .text($0.found),
                        "advice": .optional($0.advice),
                    ])
                }),
        ])
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
}
