#include "COperations.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t destination = -1;

static void forward(int signal) {
    int error = errno;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct signal_arrival arrival = {.nanoseconds = now.tv_sec * INT64_C(1000000000) + now.tv_nsec, .signal = signal};
    // At most PIPE_BUF bytes: all or nothing. A full pipe already holds more signals than anybody counts.
    ssize_t ignored = write(destination, &arrival, sizeof arrival);
    (void)ignored;
    errno = error;
}

int write_termination_signals_to(int descriptor) {
    destination = descriptor;
    // System calls that can be restarted are: hardly any code sees EINTR where it saw none before.
    struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0) {
        int error = errno;
        signal(SIGTERM, SIG_DFL);
        return error;
    }
    return 0;
}

void unblock_termination_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
