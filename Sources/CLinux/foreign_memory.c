#define _GNU_SOURCE
#include "foreign_memory.h"
#include <errno.h>
#include <sys/uio.h>

ssize_t linux_read_foreign_memory(pid_t process, uint64_t address, void *into, size_t count) {
    struct iovec local = {.iov_base = into, .iov_len = count};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = count};
    ssize_t got = process_vm_readv(process, &local, 1, &remote, 1, 0);
    return got < 0 ? -errno : got;
}
