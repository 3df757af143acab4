// perf_event_open(2): the calls that glibc has no wrapper for, and the two accesses to a ring's control page whose
// memory order matters. Functions that fail return a negated errno.
#pragma once
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int linux_perf_event_open(struct perf_event_attr *attributes, pid_t pid, int cpu, int group) {
    attributes->size = sizeof *attributes;
    long result = syscall(SYS_perf_event_open, attributes, pid, cpu, group, PERF_FLAG_FD_CLOEXEC);
    return result < 0 ? -errno : (int)result;
}

static inline int linux_perf_enable(int event) {
    return ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

static inline int linux_perf_disable(int event) {
    return ioctl(event, PERF_EVENT_IOC_DISABLE, 0) < 0 ? -errno : 0;
}

static inline int linux_perf_set_period(int event, uint64_t period) {
    return ioctl(event, PERF_EVENT_IOC_PERIOD, &period) < 0 ? -errno : 0;
}

// Sends the records of `event` to the ring of `target`, an event of the same CPU and clock.
static inline int linux_perf_set_output(int event, int target) {
    return ioctl(event, PERF_EVENT_IOC_SET_OUTPUT, target) < 0 ? -errno : 0;
}

// How far the kernel has written, in bytes since the ring began. Acquire: the records before it are read after it.
static inline uint64_t linux_ring_load_head(const void *control) {
    return __atomic_load_n(&((const struct perf_event_mmap_page *)control)->data_head, __ATOMIC_ACQUIRE);
}

static inline uint64_t linux_ring_load_tail(const void *control) {
    return __atomic_load_n(&((const struct perf_event_mmap_page *)control)->data_tail, __ATOMIC_RELAXED);
}

// Gives everything before `tail` back to the kernel. Release: the records were read before it.
static inline void linux_ring_store_tail(void *control, uint64_t tail) {
    __atomic_store_n(&((struct perf_event_mmap_page *)control)->data_tail, tail, __ATOMIC_RELEASE);
}

// For rings that a test writes in the kernel's place.
static inline void linux_ring_store_head(void *control, uint64_t head) {
    __atomic_store_n(&((struct perf_event_mmap_page *)control)->data_head, head, __ATOMIC_RELEASE);
}
