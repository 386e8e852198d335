public import ArgumentParser
internal import Foundation

/// Ends a worker whose parent has died, however the parent died and whatever the worker is doing.
///
/// The parent holds the write end of a pipe that is the worker's standard input and never writes to it. When the parent goes, even
/// by SIGKILL, the kernel closes the pipe and the worker reads its end. A thread of its own waits for that: it works also while every other thread hangs.
public enum ParentLifeline {
    /// Starts watching; never stops.
    ///
    /// - Parameters:
    ///   - descriptor: the pipe; standard input.
    ///   - grace: the time between `onParentDeath` and the end of the process.
    ///   - onParentDeath: called on a thread of its own; starts an orderly end. It may hang: the process ends all the same.
    ///   - terminate: ends the process at once; replaced in tests only.
    public static func watch(
        descriptor: Int32 = 0, grace: Duration = .seconds(5), onParentDeath: @escaping @Sendable () -> Void = {},
        terminate: @escaping @Sendable (ExitStatus) -> Void = { $0.endProcessNow() }
    ) {
        let thread = Thread {
            waitForEnd(of: descriptor)
            Thread.detachNewThread(onParentDeath)
            Thread.sleep(forTimeInterval: grace / .seconds(1))
            terminate(.failure)
        }
        thread.name = "parent-lifeline"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Reads until the end. A pipe that cannot be read is as good as none: whoever asked for a lifeline must not live without it.
    private static func waitForEnd(of descriptor: Int32) {
        var ignored = [UInt8](repeating: 0, count: 512)
        while true {
            let count = unsafe read(descriptor, &ignored, ignored.count)
            if count == 0 || (count < 0 && errno != EINTR) { return }
        }
    }
}

/// `--parent-lifeline`, for workers that the coordinator starts.
public struct ParentLifelineOptions: ParsableArguments {
    /// Whether standard input is the parent's pipe.
    @Flag(
        name: .customLong("parent-lifeline"),
        help: ArgumentHelp("End when standard input ends: it is a pipe that the parent holds.", visibility: .hidden))
    public var parentLifeline = false

    /// The defaults.
    public init() {}
}
