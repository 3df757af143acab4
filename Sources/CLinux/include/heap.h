// What Glibc's module does not show to Swift of its allocator (mallopt(3), malloc_trim(3)).
#pragma once
#include <malloc.h>

// For a process whose large memory comes and goes with each window: two arenas instead of eight per CPU, and whatever
// has 256 KiB or more is mapped and so goes back when freed. By default the threshold grows with each freed mapping,
// up to 32 MiB, after which the largest tables leave holes in the heap.
static inline void linux_keep_heap_small(void) {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

// Gives free pages back to the kernel.
static inline void linux_trim_heap(void) {
    malloc_trim(0);
}
