#include <pthread.h>
#include <sys/eventfd.h>
#include <zmq.h>

// glibc declares it for _GNU_SOURCE only, which Swift's view of pthread.h does not define.
extern int pthread_setname_np(pthread_t thread, const char *name);
