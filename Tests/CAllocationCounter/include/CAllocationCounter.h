#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

/// How often the calling thread has called malloc, calloc, realloc, aligned_alloc, memalign or posix_memalign, from whatever library.
/// Always 0 under a sanitizer, which has its own allocator.
unsigned long allocation_count(void);

/// Whether allocations are counted in this build.
int allocation_counting_works(void);

#endif
