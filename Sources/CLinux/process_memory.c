#define _GNU_SOURCE
#include "process_memory.h"

#include <sys/uio.h>

// On the systems that this runs on an iovec is an address and a size of 64 bits each.
_Static_assert(sizeof(struct linux_memory_range) == sizeof(struct iovec), "an iovec is a range");
_Static_assert(offsetof(struct linux_memory_range, byte_count) == offsetof(struct iovec, iov_len), "an iovec is a range");

ssize_t linux_read_process(
    pid_t process, const struct linux_memory_range *ranges, size_t count, void *bytes, size_t byte_count) {
    struct iovec local = {bytes, byte_count};
    return process_vm_readv(process, &local, 1, (const struct iovec *)ranges, count, 0);
}
