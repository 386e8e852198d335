#include "COperations.h"

#include <errno.h>
#include <sys/file.h>

int take_file_lock(int descriptor) {
    int result;
    do result = flock(descriptor, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}
