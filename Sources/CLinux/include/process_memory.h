// process_vm_readv(2) without Swift having to lay out iovecs for addresses that aren't its own.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A range of another process's addresses.
struct linux_memory_range {
    uint64_t address;
    uint64_t byte_count;
};

/// Reads `count` ranges (1,024 at most) one behind the other into `bytes`. Bytes read, which ends early where memory
/// can't be read, or -1 with errno set.
ssize_t linux_read_process(
    pid_t process, const struct linux_memory_range *ranges, size_t count, void *bytes, size_t byte_count);
