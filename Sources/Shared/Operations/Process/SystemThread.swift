internal import COperations
internal import Glibc

/// A thread of the system: for what must go on while Swift's own few threads are all busy or hang.
enum SystemThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that nobody joins; false where the system has none to give.
    ///
    /// - Parameter name: the kernel keeps 15 bytes of it.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let box = unsafe Unmanaged.passRetained(
            Body {
                unsafe pthread_setname_np(pthread_self(), String(name.prefix(15)))
                body()
            })
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument { unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            unsafe box.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
