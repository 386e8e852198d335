internal import Foundation

/// A moment in UTC, in milliseconds since 1970.
public struct UTCTime: Hashable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64

    /// The moment that many milliseconds after 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The system's clock.
    public static var now: UTCTime {
        UTCTime(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }

    /// Unix seconds.
    public var seconds: Double { Double(milliseconds) / 1000 }

    /// RFC 3339 with milliseconds: `2026-11-21T04:55:48.007Z`.
    public var text: String {
        let (days, time) = milliseconds.flooredDivision(by: 86_400_000)
        let (year, month, day) = Self.civil(days: days)
        let (hours, rest) = time.flooredDivision(by: 3_600_000)
        let (minutes, millis) = rest.flooredDivision(by: 60_000)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        return "\(date)T\(padded(hours, 2)):\(padded(minutes, 2)):\(padded(millis / 1000, 2)).\(padded(millis % 1000, 3))Z"
    }

    /// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap day is a year's last; 400 years
    /// are 146,097 days, and 719,468 days lie between 0000-03-01 and 1970-01-01.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
