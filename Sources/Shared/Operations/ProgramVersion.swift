/// The version of the programs of this build, as `--version`, the first line of each log, the metrics and the names of database sessions tell it.
public enum ProgramVersion {
    /// Semantic versioning; `CHANGELOG.md` says what came with it.
    public static let text = "0.10.0"
}
