// eventfd(2), which Glibc's module does not show to Swift. Functions that fail return a negated errno.
#pragma once
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>

static inline int linux_eventfd(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

static inline int linux_eventfd_add(int descriptor) {
    return eventfd_write(descriptor, 1);
}

// 1 if anything had been added since the last call, else 0.
static inline int linux_eventfd_take(int descriptor) {
    eventfd_t count;
    return eventfd_read(descriptor, &count) == 0;
}
