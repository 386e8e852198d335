#pragma once

#include <pthread.h>
#include <stdint.h>

// glibc declares them for _GNU_SOURCE only, which Swift's view of its headers does not define.
extern int pthread_setname_np(pthread_t thread, const char *name);
extern int pipe2(int ends[2], int flags);

/// A signal as its handler saw it.
struct signal_arrival {
    /// On CLOCK_MONOTONIC.
    int64_t nanoseconds;
    int32_t signal;
};

/// From now on SIGTERM and SIGINT do not end the process: each writes a `signal_arrival` into the descriptor, a pipe that does not block. In C,
/// as a signal's handler may call very little, and a Swift function may allocate or take a lock where nobody sees it.
///
/// Returns 0, or the `errno` of the failure; then the signals end the process as they always did.
int write_termination_signals_to(int descriptor);

/// Lets the calling thread take SIGTERM and SIGINT. A process inherits the mask of the thread that started it, and a thread of a pool
/// often blocks all signals: then no other thread of the new process would take any.
void unblock_termination_signals(void);

/// Takes the whole file's lock without waiting (flock(2), whose name in Swift is that of a struct). Returns 0, or `errno`: EWOULDBLOCK where another
/// process, or this one by another open file, holds it.
int take_file_lock(int descriptor);
