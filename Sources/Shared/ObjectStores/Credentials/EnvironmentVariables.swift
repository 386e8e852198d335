extension [String: String] {
    /// A variable's value without white space at its ends; nil where it is empty, which is how scripts unset variables.
    package func setting(_ name: String) -> String? {
        guard let value = self[name] else { return nil }
        let trimmed = value.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}
