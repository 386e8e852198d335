internal import Glibc

/// Takes the log lines of other processes and writes them among this one's, so that a block at the bottom of the terminal stays whole.
public enum LogRelay {
    /// Opens a pipe, whose lines go to standard error from here on, as long as this process lives.
    /// - Returns: the end that other processes get as their standard error. Nil where the system has no pipe or thread to give.
    public static func open() -> Int32? {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        let (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        guard SystemThread.start("log-relay", { relay(reading) }) else {
            close(reading)
            close(writing)
            return nil
        }
        return writing
    }

    private static func relay(_ descriptor: Int32) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: "\n") {
                    StandardError.write(line: String(decoding: line, as: UTF8.self))
                    line.removeAll(keepingCapacity: true)
                } else if line.count < 1 << 20 {
                    line.append(byte)
                }
            }
        }
    }
}
