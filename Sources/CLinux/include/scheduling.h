// CPU affinity and capability sets: calls behind macros or without a wrapper in glibc. Functions that fail return a
// negated errno.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Pins the calling thread to one CPU, below 8,192.
static inline int linux_pin_thread(int cpu) {
    unsigned long mask[128] = {0};
    const int bits = 8 * (int)sizeof(unsigned long);
    if (cpu < 0 || cpu >= 128 * bits) return -EINVAL;
    mask[cpu / bits] = 1UL << (cpu % bits);
    return syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) < 0 ? -errno : 0;
}

// Keeps the calling thread on one CPU, before all ordinary threads there (SCHED_FIFO, the lowest of its priorities);
// after a failure it is an ordinary thread.
static inline int linux_claim_cpu(int cpu) {
    struct sched_param parameter = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &parameter) < 0) return -errno;
    int result = linux_pin_thread(cpu);
    if (result < 0) {
        parameter.sched_priority = 0;
        sched_setscheduler(0, SCHED_OTHER, &parameter);
    }
    return result;
}

// The calling thread's effective capabilities as bits (capability number n is bit n).
static inline int linux_effective_capabilities(uint64_t *set) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0) return -errno;
    *set = (uint64_t)data[1].effective << 32 | data[0].effective;
    return 0;
}

// Leaves the calling thread, and no other, only these of its effective capabilities.
static inline int linux_limit_effective_capabilities(uint64_t set) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0) return -errno;
    data[0].effective &= (uint32_t)set;
    data[1].effective &= (uint32_t)(set >> 32);
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static inline int linux_thread_id(void) {
    return (int)syscall(SYS_gettid);
}
