internal import Foundation

/// The process's environment variables.
public enum ProcessEnvironment {
    /// As they are now.
    public static var current: [String: String] { ProcessInfo.processInfo.environment }
}

/// The machine that this process runs on.
public enum Host {
    /// Its name as the kernel has it; no name service is asked.
    public static var name: String {
        let bytes = FileManager.default.contents(atPath: "/proc/sys/kernel/hostname") ?? Data()
        let name = String(decoding: bytes, as: UTF8.self).filter { !$0.isNewline }
        return name.isEmpty ? "unknown" : name
    }
}
