import Foundation
import Operations

/// The part of `doctor` that looks at this machine.
package struct MachineExamination: Sendable {
    func run() -> [Finding] {
        [files, temporaryFolder, cores, memory]
    }

    // MARK: what is there

    private var files: Finding {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return .warn("open files", "the limit is not known", "ulimit -n shows it")
        }
        return Self.files(limit: UInt64(limit.rlim_cur))
    }

    private var temporaryFolder: Finding {
        do throws(OperationsError) {
            let folder = try PrivateFolder(prefix: "wallet-backend-doctor-")
            let place = (folder.path as NSString).deletingLastPathComponent
            let length = folder.path.utf8.count
            let found = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
            folder.remove()
            return Self.temporaryFolder(place, free: (found?[.systemFreeSize] as? NSNumber)?.doubleValue, pathLength: length)
        } catch {
            return .fail("temporary folder", "\(error)", "set TMPDIR to a folder in which this user may make others")
        }
    }

    private var cores: Finding {
        let count = ProcessInfo.processInfo.activeProcessorCount
        return .ok("processor", "\(count) core\(count == 1 ? "" : "s") for this process: as many fetchers are of use here")
    }

    private var memory: Finding {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        let kilobytes = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }?.split(separator: " ").dropFirst().first
        // In a container the group's limit counts, where there is one.
        let limit = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)).flatMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let available = kilobytes.flatMap { Double($0) }.map { $0 * 1024 }
        return Self.memory(available: [available, limit].compactMap { $0 }.min())
    }

    // MARK: what to think of it

    /// A fetcher has up to 65 connections, and files and sockets beside them.
    package static func files(limit: UInt64) -> Finding {
        let found = limit > 1 << 30 ? "no limit" : "at most \(limit) at once"
        return switch limit {
        case ..<256: .fail("open files", found, "ulimit -n 4096 (systemd: LimitNOFILE=4096)")
        case ..<1024: .warn("open files", found, "ulimit -n 4096 (systemd: LimitNOFILE=4096)")
        default: .ok("open files", found)
        }
    }

    /// Only sockets lie there. Their paths may have 107 bytes, of which a writer's needs 31 behind the folder's; the folder's name here is 7 longer than
    /// that of a run.
    package static func temporaryFolder(_ path: String, free: Double?, pathLength: Int) -> Finding {
        if pathLength > 107 - 31 + 7 {
            return .fail("temporary folder", "\(path) is too long a path for a socket", "set TMPDIR to a shorter one, or give --endpoint")
        }
        guard let free else { return .ok("temporary folder", "\(path) can be written") }
        let found = "\(path) can be written, \(Readable.bytes(free)) are free"
        return free < 1_000_000
            ? .warn("temporary folder", found, "make room: sockets need a few files there") : .ok("temporary folder", found)
    }

    /// Each of coordinator, writer and two fetchers takes 50 to 250 MB.
    package static func memory(available: Double?) -> Finding {
        let advice = "have 1 GB for a coordinator, a writer and two fetchers"
        guard let available else { return .warn("memory", "what is available is not known", advice) }
        let found = "\(Readable.bytes(available)) available"
        return available < 1e9 ? .warn("memory", found, advice) : .ok("memory", found)
    }
}
