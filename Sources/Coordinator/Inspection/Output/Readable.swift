import Foundation

/// Numbers as a person reads them.
package enum Readable {
    /// `45 s`, `1 min 41 s`, `3 h 12 min`, `5.3 days`.
    package static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return switch whole {
        case ..<1: seconds <= 0 ? "0 s" : "1 s"
        case ..<60: "\(whole) s"
        case ..<3600: "\(whole / 60) min \(whole % 60) s"
        case ..<86_400: "\(whole / 3600) h \(whole % 3600 / 60) min"
        case ..<(730 * 86_400): "\(decimal(seconds / 86_400)) days"
        default: "\(decimal(seconds / (365.25 * 86_400))) years"
        }
    }

    /// `873 B`, `1.1 MB`, `128 GB`.
    package static func bytes(_ count: Double) -> String {
        var value = count
        for unit in ["B", "kB", "MB", "GB", "TB"] {
            if value < 999.5 || unit == "TB" { return "\(unit == "B" ? String(Int(value.rounded())) : decimal(value)) \(unit)" }
            value /= 1000
        }
        return ""
    }

    /// `912`, `1.2 million`.
    package static func count(_ number: Double) -> String {
        switch number {
        case ..<1_000_000: grouped(Int(number.rounded()))
        case ..<1e9: "\(decimal(number / 1e6)) million"
        default: "\(decimal(number / 1e9)) billion"
        }
    }

    /// `120,960`.
    package static func grouped(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(abs(number)).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + String(text.reversed())
    }

    /// Three digits that matter: `0.25`, `9.1`, `128`.
    package static func decimal(_ value: Double) -> String {
        switch abs(value) {
        case ..<1: String(format: "%.2f", value)
        case ..<100: String(format: "%.1f", value)
        default: String(format: "%.0f", value)
        }
    }
}
